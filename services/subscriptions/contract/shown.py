"""What subscriptions answers: exactly the JSON that the API shows."""

from typing import Literal

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
    SecretText,
    SubscriptionId,
    Url,
    Version,
    Word,
)
from libs.common.messages import Message
from services.subscriptions.contract.events import TypePattern


class SubscriptionShown(Message):
    """`signing_secret` is there once, in the answer that made it."""

    id: SubscriptionId
    url: Url
    host: HostName
    types: list[TypePattern]
    where: dict[Word, PlainValue]
    enabled: Flag
    disabled_reason: Word | None
    disabled_at: Moment | None
    created_at: Moment
    secret_rotated_at: Moment | None
    old_secret_valid_until: Moment | None
    signing_secret: SecretText | None = None


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


class EventTypeShown(Message):
    """`json_schema` describes `data`; `example` is a whole event."""

    type: Word
    version: Version
    description: FreeText
    json_schema: AnyJson
    example: AnyJson
