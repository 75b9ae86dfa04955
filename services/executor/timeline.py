"""The timeline of an execution: what happened when, by step and item, without what it processed."""

from collections.abc import Iterator
from typing import Any

from libs.common import ids
from libs.common.messages import Recorded
from services.executor.contract import (
    CancelRequested,
    EffectBegan,
    EffectEnded,
    EgressRefused,
    ExecutionFinished,
    ExecutionProgressed,
    ExecutionStarted,
    ResultFact,
    TimelineEntry,
    WaitBegan,
    WaitEnded,
)  # fmt: skip
from services.executor.summary import error_of


def entries(events: list[Recorded]) -> list[TimelineEntry]:
    return [entry for recorded in events for entry in _entries(recorded)]


def _entries(recorded: Recorded) -> Iterator[TimelineEntry]:
    event = recorded.event()
    number = 0

    def entry(kind: str, **more: Any) -> TimelineEntry:
        nonlocal number
        number += 1
        base: dict[str, Any] = {
            "id": f"{ids.public('evt', ids.uuid_of(recorded.id))}.{number}", "kind": kind,
            "step": None, "attempt": None, "status": None, "error": None, "due_at": None,
            "duration_ms": None, "by": recorded.actor, "at": recorded.time,
        }  # fmt: skip
        return TimelineEntry(**(base | more))

    match event:
        case ExecutionStarted():
            yield entry("started", status=event.trigger.kind)
        case ExecutionProgressed():
            for result in event.results:
                yield entry("step", **_result(result))
        case EffectBegan():
            yield entry(
                "effect-began", step=event.path, attempt=event.attempt, status=event.connector
            )
        case EffectEnded():
            yield entry(
                "effect-ended", step=event.path, attempt=event.attempt, status=event.outcome,
                error=error_of(event.error), due_at=event.retry_at, duration_ms=event.duration_ms,
            )  # fmt: skip
        case EgressRefused():
            yield entry("egress-refused", step=event.path, status=event.rule)
        case WaitBegan():
            yield entry("wait-began", step=event.path, status=event.kind, due_at=event.due_at)
        case WaitEnded():
            yield entry("wait-ended", step=event.path, status=event.reason)
        case CancelRequested():
            yield entry("cancel-requested")
        case ExecutionFinished():
            for result in event.results:
                yield entry("step", **_result(result))
            yield entry(
                "finished", status=event.outcome, error=error_of(event.error),
                duration_ms=event.duration_ms,
            )  # fmt: skip
        case _:
            return


def _result(result: ResultFact) -> dict[str, Any]:
    length = result.ended_at - result.started_at
    return {
        "step": result.path, "status": result.kind, "at": result.ended_at,
        "duration_ms": max(0, int(length.total_seconds() * 1000)),
    }  # fmt: skip
