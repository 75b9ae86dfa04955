"""Starts that nobody waits for: by an event or a schedule's instant; made here, and admitted here.

An execution's id follows from what starts it, so whoever makes a start twice makes the same one.
"""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from libs.common import clock, ids
from libs.common.errors import InvalidInput, NotFound
from libs.common.eventstore import stream_of
from libs.common.fields import milliseconds
from libs.common.messages import Meta
from libs.common.privacy import DataKey
from libs.language import ExpressionError, format_rfc3339
from libs.language.document import EventTrigger
from services.executor.contract import EventLoop, TriggerFact
from services.executor.documents import Published
from services.executor.signals import history
from services.executor.work import PURPOSE, Start

if TYPE_CHECKING:
    from services.executor.engine import Engine
    from services.executor.start import Starts

DEPTH_MAX = 8
DEADLINE_S = 30 * 86_400
FACTS = ("schedule", "due_at", "event_id", "event_type", "depth")


class NotMeant(NotFound):
    """The event does not fit the trigger, or the trigger is gone: nothing starts, nothing is
    recorded."""


def by_event(key: DataKey, org: str, listener: Any, arrival: Any, event: Any) -> Start:
    """The start of a listener's workflow by an event; `arrival` says what caused it."""
    facts = {"event_id": event["id"], "event_type": event["type"], "depth": arrival.depth + 1}
    payload = {
        "event": event, "trigger": listener.place, "facts": facts,
        "cause": {"workflow": arrival.workflow, "depth": arrival.depth},
    }  # fmt: skip
    execution = ids.derived("exe", org, "event", listener.owner, listener.place, event["id"])
    return _start(
        key, "event", org, execution, payload, workflow=listener.owner, version=listener.version
    )


def by_schedule(key: DataKey, tick: Any) -> Start:
    """The start by an instant of a schedule, with the version that had it then."""
    due_at: datetime = tick.due_at
    facts = {"schedule": tick.schedule, "due_at": milliseconds(due_at)}
    payload = {"trigger": tick.schedule, "facts": facts}
    return _start(
        key, "schedule", tick.org, tick.execution, payload, workflow=tick.workflow,
        version=tick.version,
    )  # fmt: skip


def _start(
    key: DataKey, kind: Any, org: str, execution: str, payload: dict[str, Any], *, workflow: str,
    version: int | None,
) -> Start:  # fmt: skip
    call = ids.derived("call", org, execution)
    return Start(
        kind=kind, organization=org, execution=execution, call=call,
        payload=key.seal(payload, stream_of("call", org, call)),
        body_digest=key.digest(execution, "body"), key_digest=key.digest(execution, "key"),
        reply="", deadline_ms=int((time.time() + DEADLINE_S) * 1000), actor=f"system:{kind}",
        request_id=ids.derived("req", call), workflow=workflow, version=version,
        trigger=payload["trigger"], facts=payload["facts"],
    )  # fmt: skip


# -- when it is taken from the queue ---------------------------------------------------------------


def input_of(start: Start, opened: dict[str, Any]) -> Any:
    """What the trigger's `with` sees as `input`, and what is the input without one."""
    if start.kind == "webhook":
        return opened.get("body")
    if "event" in opened:
        return opened["event"].get("data")
    return opened.get("input", {} if start.kind == "schedule" else None)


def fact_of(start: Start) -> TriggerFact:
    if not start.facts:
        return TriggerFact.model_construct(
            kind=start.kind, call_id=start.call, path=start.path
        )  # fmt: skip
    return TriggerFact.model_validate(
        {"kind": start.kind, "call_id": start.call, "path": start.path, **start.facts}
    )


async def must_fit(
    engine: "Engine", start: Start, found: Published, opened: dict[str, Any]
) -> None:
    """Raises NotMeant when the event is not for this trigger, EventLoop when it goes in circles."""
    event = opened.get("event")
    if event is None:
        return
    trigger = found.trigger(None, start.trigger)
    if not found.enabled or not isinstance(trigger, EventTrigger):
        raise NotMeant()
    if trigger.match is not None and not await _fits(engine, start, found, trigger, event):
        raise NotMeant()
    cause = opened.get("cause") or {}
    depth = cause.get("depth", 0)
    if depth >= DEPTH_MAX:
        raise EventLoop(f"events started more than {DEPTH_MAX} executions in a row")
    if depth > 0 and cause.get("workflow") == found.workflow:
        raise EventLoop("what an event started does not start the same workflow by its own events")


async def _fits(
    engine: "Engine", start: Start, found: Published, trigger: EventTrigger, event: Any
) -> bool:
    seen = {
        "event": event, "workflow": {"name": found.name, "version": found.version},
        "vars": await engine.documents.variables(start.organization, found.document.variables),
    }  # fmt: skip
    try:
        fits = await engine.evaluate(trigger.match, seen, format_rfc3339(clock.now()))
    except ExpressionError as error:
        raise InvalidInput(f"the trigger's match: {error.code}") from None
    if not isinstance(fits, bool):
        raise InvalidInput("the trigger's match is no boolean")
    return fits


# -- again, from the trigger ledger ----------------------------------------------------------------


async def again(starts: "Starts", meta: Meta, row: Any, call: str) -> tuple[str, dict[str, Any]]:
    """The payload for a new call and what else its start says.

    One that started something gives its input again; one that was refused is matched again, and
    what caused it counts no longer, for a person wants it now.
    """
    org = meta.organization
    key = await starts.service.keys.key(org, PURPOSE)
    if row.execution is not None:
        stream = stream_of("execution", org, row.execution)
        first = (await history(starts.engine, meta, row.execution))[0].json()
        facts = {k: first["trigger"][k] for k in FACTS[:-1] if first["trigger"].get(k) is not None}
        payload: dict[str, Any] = {"input": key.open(first["input"], stream)["input"]}
    else:
        payload = dict(key.open(row.body, stream_of("call", org, row.call)))
        payload.pop("cause", None)
        facts = payload.get("facts", {})
    said = {"trigger": payload.get("trigger"), "facts": facts, "workflow": row.workflow}
    return key.seal(payload, stream_of("call", org, call)), said
