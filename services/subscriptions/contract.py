"""What others may ask of subscriptions, what it answers and refuses, and the facts it records."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_serializer

from libs.common.errors import Conflict, Rejected
from libs.common.fields import (
    Actor,
    AnyJson,
    Count,
    DeliveryId,
    EventId,
    Flag,
    FreeText,
    HostName,
    Milliseconds,
    Moment,
    Number,
    OpenJson,
    OrganizationId,
    PlainValue,
    PublicSubject,
    RequestId,
    ResourceAddress,
    SealedUrl,
    SecretText,
    SubscriptionId,
    Url,
    Version,
    Word,
)  # fmt: skip
from libs.common.lists import PageQuery
from libs.common.messages import Command, Event, Message, Query

SERVICE = "subscriptions"
SUBSCRIPTIONS_MAX = 20
DeliveryOutcome = Literal["delivered", "undelivered"]
TypePattern = Annotated[Word, Field(pattern=r"^[a-z][a-z0-9.-]*\*?$")]
Types = Annotated[list[TypePattern], Field(min_length=1, max_length=50)]
Where = Annotated[dict[Word, PlainValue], Field(max_length=10)]


class UrlNotAllowed(Rejected):
    """One text for closed, filtered and forbidden."""

    code = "url-not-allowed"


class LimitReached(Conflict):
    code = "limit-reached"


class SubscriptionIsDisabled(Conflict):
    """Enable it first."""

    code = "subscription-disabled"


# -- events --------------------------------------------------------------------------------------


class SubscriptionCreated(Event, type="subscriptions.event.subscription-created", public=True):
    subscription_id: SubscriptionId
    url: SealedUrl
    host: HostName
    types: Types
    where: Where
    created_at: Moment


class SubscriptionChanged(Event, type="subscriptions.event.subscription-changed", public=True):
    """All of it, as it is from now on."""

    subscription_id: SubscriptionId
    url: SealedUrl
    host: HostName
    types: Types
    where: Where


class SubscriptionDisabled(Event, type="subscriptions.event.subscription-disabled", public=True):
    """`no-success`: nothing arrived for a day; `gone`: the endpoint answered 410."""

    subscription_id: SubscriptionId
    reason: Literal["no-success", "gone"]
    failures: Count
    last_status: Number | None
    disabled_at: Moment


class SubscriptionEnabled(Event, type="subscriptions.event.subscription-enabled", public=True):
    subscription_id: SubscriptionId
    by: Actor


class SubscriptionDeleted(Event, type="subscriptions.event.subscription-deleted", public=True):
    subscription_id: SubscriptionId
    by: Actor


class SigningSecretRotated(Event, type="subscriptions.event.signing-secret-rotated", public=True):
    """The secret before this one signs too, until then."""

    subscription_id: SubscriptionId
    by: Actor
    rotated_at: Moment
    old_valid_until: Moment


class TestSent(Event, type="subscriptions.event.test-sent", public=True):
    """Goes to this subscription whatever its types are."""

    __test__ = False

    subscription_id: SubscriptionId
    by: Actor


class DeliveryResent(Event, type="subscriptions.event.delivery-resent"):
    """A person asked to send it again: `delivery_id` is the new one, `resend_of` the old one."""

    delivery_id: DeliveryId
    resend_of: DeliveryId
    subscription_id: SubscriptionId
    event_id: EventId
    by: Actor


class DeliveryEnded(Event, type="subscriptions.event.delivery-ended"):
    """Once per delivery; not public, or deliveries would feed themselves."""

    delivery_id: DeliveryId
    subscription_id: SubscriptionId
    event_id: EventId
    outcome: DeliveryOutcome
    attempts: Count
    last_status: Number | None
    duration_ms: Milliseconds


# -- commands ------------------------------------------------------------------------------------


class CreateSubscription(
    Command, type="subscriptions.command.create-subscription", permission="subscriptions:manage"
):
    """Answers SubscriptionShown with `signing_secret`, once.

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
    Command, type="subscriptions.command.change-subscription", permission="subscriptions:manage"
):
    """`PATCH`; the body is `patch`. Answers SubscriptionShown."""

    subscription: SubscriptionId
    patch: SubscriptionPatch


class DeleteSubscription(
    Command, type="subscriptions.command.delete-subscription", permission="subscriptions:manage"
):
    """Answers SubscriptionShown (204 at the door); what waits for it ends as undelivered."""

    subscription: SubscriptionId


class EnableSubscription(
    Command, type="subscriptions.command.enable-subscription", permission="subscriptions:manage"
):
    """After it was disabled; answers SubscriptionShown, also when it was enabled already."""

    subscription: SubscriptionId


class RotateSecret(
    Command, type="subscriptions.command.rotate-secret", permission="subscriptions:manage"
):
    """Answers SubscriptionShown with the new `signing_secret`, once; the old one signs for 24 h."""

    subscription: SubscriptionId


class TestSubscription(
    Command, type="subscriptions.command.test-subscription", permission="subscriptions:manage"
):
    """Sends it a `subscriptions.event.test-sent`; answers SubscriptionShown.

    Refuses: subscription-disabled.
    """

    __test__ = False

    subscription: SubscriptionId


class ResendDelivery(
    Command, type="subscriptions.command.resend-delivery", permission="subscriptions:manage"
):
    """Again with the same `webhook-id`, out of order; answers the new DeliveryShown.

    Refuses: subscription-disabled.
    """

    delivery: DeliveryId


# -- queries (the answers are what REST shows) -----------------------------------------------------


class FindSubscriptions(
    PageQuery, type="subscriptions.query.find-subscriptions", permission="subscriptions:read"
):
    """Answers Page[SubscriptionShown]."""


class FindSubscription(
    Query, type="subscriptions.query.find-subscription", permission="subscriptions:read"
):
    """Answers SubscriptionShown, its version is the ETag."""

    subscription: SubscriptionId


class SubscriptionShown(Message):
    """`signing_secret` is there once, in the answer that made it."""

    id: SubscriptionId
    url: Url
    host: HostName
    types: list[Word]
    where: dict[Word, PlainValue]
    enabled: Flag
    disabled_reason: Word | None
    disabled_at: Moment | None
    created_at: Moment
    secret_rotated_at: Moment | None
    old_secret_valid_until: Moment | None
    signing_secret: SecretText | None = None


class FindDeliveries(
    PageQuery, type="subscriptions.query.find-deliveries", permission="subscriptions:read"
):
    """The log of one subscription, kept for seven days; `pending` is what has not ended.

    Answers Page[DeliveryShown].
    """

    subscription: SubscriptionId
    outcome: list[Literal["delivered", "undelivered", "pending"]] | None = None
    from_at: Moment | None = None
    to_at: Moment | None = None


class AttemptShown(Message):
    """`status` is null and `error` a word when there was no answer."""

    at: Moment
    status: Number | None
    error: Word | None
    duration_ms: Milliseconds


class DeliveryShown(Message):
    """One event on its way to one endpoint; never what it says.

    `resend_of` names the delivery that this one repeats; it is sent out of order.
    """

    id: DeliveryId
    subscription: SubscriptionId
    event: EventId
    event_type: Word
    subject: PublicSubject
    sequence: Count
    outcome: Literal["delivered", "undelivered", "pending"]
    attempts: list[AttemptShown]
    next_attempt_at: Moment | None
    resend_of: DeliveryId | None
    created_at: Moment
    ended_at: Moment | None


class FindEvents(PageQuery, type="subscriptions.query.find-events", permission="events:read"):
    """Answers Page[EventShown]; a type may end with `*`.

    With `order=asc` `next` is always there, also when nothing has come yet: ask again with it as
    often as you like and no event is left out or given twice.
    """

    event_type: Annotated[list[TypePattern] | None, Field(max_length=20)] = None
    subject: Annotated[list[PublicSubject] | None, Field(max_length=20)] = None
    from_at: Moment | None = None
    to_at: Moment | None = None


class EventShown(Message):
    """A CloudEvent as customers see it; what is sealed is left out of `data`."""

    specversion: Literal["1.0"] = "1.0"
    id: EventId
    type: Word
    source: ResourceAddress
    subject: PublicSubject
    time: Moment
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: ResourceAddress
    organization: OrganizationId
    streamversion: Version
    requestid: RequestId | None
    actor: Actor
    data: OpenJson


class FindEventTypes(PageQuery, type="subscriptions.query.find-event-types"):
    """Signed-in. Answers Page[EventTypeShown], by name."""

    order: Literal["desc", "asc"] = "asc"


class EventTypeShown(Message):
    """`json_schema` describes `data`; `example` is a whole event."""

    type: Word
    version: Version
    description: FreeText
    json_schema: AnyJson
    example: AnyJson
