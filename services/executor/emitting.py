"""`POST /v1/events`: an organization's own event becomes a fact, once per id."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy import select

from libs.common import ids
from libs.common.bus import CausedBy, reply
from libs.common.decider import Decider
from libs.common.errors import KeyReused, TooLarge
from libs.common.messages import Event, Meta
from services.executor.contract import (
    CUSTOM_BYTES_MAX,
    SERVICE,
    CustomEventEmitted,
    EmitEvent,
    EventEmitted,
    custom_stream,
)
from services.executor.views import executions
from services.executor.work import PURPOSE, encode

if TYPE_CHECKING:
    from services.executor.engine import Engine


@dataclass(frozen=True, slots=True)
class Emit:
    """Says the event; the same id with the same body says nothing new."""

    event: CustomEventEmitted


def decide(command: Emit, state: CustomEventEmitted | None) -> list[Event]:
    if state is None:
        return [command.event]
    if state.body_digest != command.event.body_digest:
        raise KeyReused("an event with this id came with another body before")
    return []


def evolve(state: CustomEventEmitted | None, event: CustomEventEmitted) -> CustomEventEmitted:
    return event if state is None else state


emitted: Decider[Emit, CustomEventEmitted | None] = Decider(None, decide, evolve)


def register(r: NatsRouter, engine: "Engine") -> None:
    @r.subscriber(EmitEvent.type, queue=SERVICE)
    async def emit_event(command: EmitEvent, meta: CausedBy) -> NatsResponse:
        event = await event_of(engine, command, meta)
        stream = custom_stream(meta.organization, event.event_id)
        outcome = await engine.store.execute(emitted, stream, Emit(event), meta)
        said = EventEmitted(id=event.event_id, type=event.event_type)
        return reply(said, replayed=outcome.replayed or not outcome.events)


async def event_of(engine: "Engine", command: EmitEvent, meta: Meta) -> CustomEventEmitted:
    """The fact, with its data sealed. Raises TooLarge."""
    org = meta.organization
    body = encode(command.data)
    if len(body) > CUSTOM_BYTES_MAX:
        raise TooLarge(f"the data has {len(body)} bytes", limit_bytes=CUSTOM_BYTES_MAX)
    event_id = event_id_of(command, meta)
    key = await engine.service.keys.key(org, PURPOSE)
    return CustomEventEmitted(
        event_id=event_id, event_type=command.event_type,
        data=key.seal_bytes(body, custom_stream(org, event_id)), bytes=len(body),
        body_digest=key.digest(command.event_type.encode() + b"\x00" + body, "custom-event"),
        caused_by=command.caused_by, depth=await _depth(engine, org, command.caused_by),
    )  # fmt: skip


def event_id_of(command: EmitEvent, meta: Meta) -> str:
    """From the caller's id, else from the idempotency key, else a new one."""
    if command.id is not None:
        return ids.derived("evt", meta.organization, "custom", command.id)
    if meta.command_id is not None:
        return ids.derived("evt", meta.organization, "command", meta.command_id)
    return ids.new("evt")


async def _depth(engine: "Engine", org: str, execution: str | None) -> int:
    if execution is None:
        return 0
    t = executions.c
    async with engine.service.database.work() as db:
        found = await db.execute(
            select(t.trigger).where(t.execution == execution, t.org == org)
        )  # fmt: skip
        row = found.first()
    return int(row.trigger.get("depth", 0)) if row is not None else 0
