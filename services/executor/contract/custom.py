"""Customers' own events: asked for by `POST /v1/events`, kept with their data sealed.

Data is sealed for `custom_stream(organization, event id)`, under the purpose `executions`.
"""

from typing import Annotated

from pydantic import Field

from libs.common.fields import (
    AnyJson,
    Bytes,
    Count,
    Digest,
    EventId,
    ExecutionId,
    SealedJson,
    Word,
    indirect,
    plain,
)
from libs.common.messages import Command, Event, Message
from libs.common.streams import stream_of

CUSTOM_BYTES_MAX = 65_536
CustomType = Annotated[
    str, Field(pattern=r"^custom\.[a-z0-9._-]{1,80}$"),
    plain("type of an organization's own event"),
]  # fmt: skip
OwnId = Annotated[
    str, Field(min_length=1, max_length=200),
    indirect("what the caller calls an event; only a digest of it is kept"),
]  # fmt: skip


class EventEmitted(Message):
    """The event as it will be seen: its id, and its type."""

    id: EventId
    type: Word


class EmitEvent(
    Command, type="executor.command.emit-event", permission="executions:start", answers=EventEmitted
):
    """Something happened, for event triggers and waits; the same `id` is the same event.

    `caused_by` is the execution that says it, when one does.
    """

    event_type: CustomType
    data: AnyJson = None
    id: OwnId | None = None
    caused_by: ExecutionId | None = None


class CustomEventEmitted(Event, type="executor.event.custom-event-emitted", public=True):
    """`depth`: how many executions in a row events had started before the one that said it."""

    event_id: EventId
    event_type: Word
    data: SealedJson
    bytes: Bytes
    body_digest: Digest
    caused_by: ExecutionId | None
    depth: Count


def custom_stream(organization: str, event_id: str) -> str:
    """A stream per event: its first version can be taken once, so an id is used once."""
    return stream_of("custom", organization, event_id)
