"""The timeline of an execution: what happened when, by step and item, without what it processed."""

from collections.abc import Iterator, Sequence
from typing import Any

from libs.common import ids
from libs.common.messages import Recorded
from services.executor.contract import (
    ApprovalDecided,
    ApprovalExpired,
    ApprovalReminded,
    ApprovalRequested,
    CancelRequested,
    EffectBegan,
    EffectEnded,
    EgressRefused,
    ExecutionFinished,
    ExecutionMigrated,
    ExecutionPaused,
    ExecutionProgressed,
    ExecutionReplayed,
    ExecutionResumed,
    ExecutionStarted,
    LateResultRefused,
    ResultFact,
    ReversalBegan,
    ReversalEnded,
    RollbackBegan,
    TimelineEntry,
    UndoBegan,
    UndoEnded,
    WaitBegan,
    WaitEnded,
)  # fmt: skip
from services.executor.summary import error_of


def entries(events: Sequence[Recorded], late: Sequence[Recorded] = ()) -> list[TimelineEntry]:
    """`late` are the answers that came too late; they stand where they came."""
    inner = sorted([*events, *late], key=lambda one: one.time) if late else events
    return [entry for recorded in inner for entry in _entries(recorded)]


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
        case ExecutionPaused():
            yield entry("paused", step=event.path, status=event.cause)
        case ExecutionResumed():
            yield entry("resumed", step=event.path, status=event.decision)
        case ApprovalRequested():
            yield entry("approval-requested", step=event.path, due_at=event.due_at)
        case ApprovalDecided():
            yield entry("approval-decided", step=event.path, status=event.decision)
        case ApprovalReminded():
            yield entry("approval-reminded", step=event.path)
        case ApprovalExpired():
            yield entry("approval-expired", step=event.path, status=event.policy)
        case ExecutionMigrated():
            yield entry("migrated", status=str(event.workflow_version))
        case ExecutionReplayed():
            yield entry("replayed", step=event.from_step)
        case RollbackBegan():
            yield entry("rollback-began", status=event.cause, error=error_of(event.error))
        case ReversalBegan():
            yield entry("reversal-began")
        case ReversalEnded():
            yield entry("reversal-ended", status=event.rollback)
        case UndoBegan():
            yield entry(
                "undo-began", step=event.path, attempt=event.attempt, status=event.connector
            )
        case UndoEnded():
            yield entry(
                "undo-ended", step=event.path, attempt=event.attempt, status=event.outcome,
                error=error_of(event.error), due_at=event.retry_at, duration_ms=event.duration_ms,
            )  # fmt: skip
        case LateResultRefused():
            yield entry("late-result-refused", step=event.path, attempt=event.attempt)
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
