"""Commands and queries that subscriptions answers."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_serializer

from libs.common.fields import (
    DeliveryId,
    Moment,
    PlainValue,
    PublicSubject,
    SubscriptionId,
    Url,
    Word,
)
from libs.common.lists import Page, PageQuery
from libs.common.messages import Command, Message, Query
from services.subscriptions.contract.events import TypePattern, Types, Where
from services.subscriptions.contract.shown import (
    DeliveryShown,
    EventShown,
    EventTypeShown,
    SubscriptionShown,
)


class CreateSubscription(
    Command,
    type="subscriptions.command.create-subscription",
    permission="subscriptions:manage",
    answers=SubscriptionShown,
):
    """`signing_secret` is answered once.

    Refuses: url-not-allowed, invalid-input (`/types/0`, `/where/name`), limit-reached.
    """

    url: Url
    types: Types
    where: Where = Field(default_factory=dict)


class SubscriptionPatch(Message):
    """A JSON Merge Patch: what is not there stays, null in `where` takes a condition away."""

    url: Url | None = None
    types: Types | None = None
    where: Annotated[dict[Word, PlainValue | None], Field(max_length=20)] | None = None

    @model_serializer(mode="wrap")
    def _only_what_is_there(self, handler: Any) -> dict[str, Any]:
        return {k: v for k, v in handler(self).items() if k in self.model_fields_set}


class ChangeSubscription(
    Command,
    type="subscriptions.command.change-subscription",
    permission="subscriptions:manage",
    answers=SubscriptionShown,
):
    """`PATCH`; the body is `patch`."""

    subscription: SubscriptionId
    patch: SubscriptionPatch


class DeleteSubscription(
    Command,
    type="subscriptions.command.delete-subscription",
    permission="subscriptions:manage",
    answers=SubscriptionShown,
):
    """204 at the door; what waits for it ends as undelivered."""

    subscription: SubscriptionId


class EnableSubscription(
    Command,
    type="subscriptions.command.enable-subscription",
    permission="subscriptions:manage",
    answers=SubscriptionShown,
):
    """After it was disabled; the same answer when it was enabled already."""

    subscription: SubscriptionId


class RotateSecret(
    Command,
    type="subscriptions.command.rotate-secret",
    permission="subscriptions:manage",
    answers=SubscriptionShown,
):
    """The new `signing_secret` is answered once; the old one signs for 24 h too."""

    subscription: SubscriptionId


class TestSubscription(
    Command,
    type="subscriptions.command.test-subscription",
    permission="subscriptions:manage",
    answers=SubscriptionShown,
):
    """Sends it a `subscriptions.event.test-sent`.

    Refuses: subscription-disabled.
    """

    __test__ = False

    subscription: SubscriptionId


class ResendDelivery(
    Command,
    type="subscriptions.command.resend-delivery",
    permission="subscriptions:manage",
    answers=DeliveryShown,
):
    """Again with the same `webhook-id`, out of order; answers the new DeliveryShown.

    Refuses: subscription-disabled.
    """

    delivery: DeliveryId


class FindSubscriptions(
    PageQuery,
    type="subscriptions.query.find-subscriptions",
    permission="subscriptions:read",
    answers=Page[SubscriptionShown],
):
    """The organization's event subscriptions."""


class FindSubscription(
    Query,
    type="subscriptions.query.find-subscription",
    permission="subscriptions:read",
    answers=SubscriptionShown,
):
    """Its version is the ETag."""

    subscription: SubscriptionId


class FindDeliveries(
    PageQuery,
    type="subscriptions.query.find-deliveries",
    permission="subscriptions:read",
    answers=Page[DeliveryShown],
):
    """The log of one subscription, kept for seven days; `pending` is what has not ended."""

    subscription: SubscriptionId
    outcome: list[Literal["delivered", "undelivered", "pending"]] | None = None
    from_at: Moment | None = None
    to_at: Moment | None = None


class FindEvents(
    PageQuery,
    type="subscriptions.query.find-events",
    permission="events:read",
    answers=Page[EventShown],
):
    """A type may end with `*`.

    With `order=asc` `next` is always there, also when nothing has come yet: ask again with it as
    often as you like and no event is left out or given twice.
    """

    event_type: Annotated[list[TypePattern] | None, Field(max_length=20)] = None
    subject: Annotated[list[PublicSubject] | None, Field(max_length=20)] = None
    from_at: Moment | None = None
    to_at: Moment | None = None


class FindEventTypes(
    PageQuery, type="subscriptions.query.find-event-types", answers=Page[EventTypeShown]
):
    """Signed-in; by name."""

    order: Literal["desc", "asc"] = "asc"
