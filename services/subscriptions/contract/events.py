"""The facts that subscriptions records."""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.fields import (
    Actor,
    Count,
    DeliveryId,
    EventId,
    HostName,
    Milliseconds,
    Moment,
    Number,
    PlainValue,
    SealedUrl,
    SubscriptionId,
    Word,
    plain,
)
from libs.common.messages import Event

DeliveryOutcome = Literal["delivered", "undelivered"]
TypePattern = Annotated[
    str,
    Field(pattern=r"^([a-z][a-z0-9.-]*\*?|\*)$", max_length=120),
    plain("type of events, or the beginning of some"),
]
Types = Annotated[list[TypePattern], Field(min_length=1, max_length=50)]
Where = Annotated[dict[Word, PlainValue], Field(max_length=10)]


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
