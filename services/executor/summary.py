"""What lists show of an execution, reduced from its events; the same for view and single GET."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from libs.common.messages import Recorded
from services.executor.contract import (
    CancelRequested,
    EffectBegan,
    EffectEnded,
    ErrorFact,
    ErrorShown,
    ExecutionFinished,
    ExecutionMigrated,
    ExecutionPaused,
    ExecutionProgressed,
    ExecutionResumed,
    ExecutionShown,
    ExecutionStarted,
    QueuedFor,
    ReversalEnded,
    RollbackBegan,
    TriggerFact,
    WaitBegan,
    WaitEnded,
)  # fmt: skip
from services.executor.remedies import remedy


@dataclass(slots=True)
class Summary:
    """One row of the list; `waits` are open waits with their times."""

    execution: str
    org: str
    workflow: str
    version: int
    mode: str
    trigger: dict[str, Any]
    labels: dict[str, str]
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str | None = None
    waits: dict[str, str | None] = field(default_factory=dict)
    error_type: str | None = None
    error_step: str | None = None
    error_attempts: int | None = None
    error_status: int | None = None
    error_also: list[str] = field(default_factory=list)
    error_message: str | None = None
    concurrency_key: str | None = None
    cancel_requested: bool = False
    paused: bool = False
    rolling_back: bool = False
    rollback: str | None = None
    parent: str | None = None
    steps: int = 0
    effects: int = 0
    duration_ms: int | None = None


def reduce(summary: Summary | None, recorded: Recorded) -> Summary | None:
    """The summary after one more event of the execution's stream.

    Starts and ends are every second event of a busy log: they are read without a model.
    """
    if recorded.type == ExecutionStarted.type:
        data = recorded.json()
        return Summary(
            data["execution_id"], recorded.organization, data["workflow_id"],
            data["workflow_version"], data["mode"], data["trigger"], data["labels"], recorded.time,
            parent=(data.get("parent") or {}).get("execution_id"),
            concurrency_key=data.get("concurrency_key"),
        )  # fmt: skip
    if summary is None:
        return None
    if recorded.type == ExecutionFinished.type:
        _ended(summary, recorded.json(), recorded.time)
        return summary
    match recorded.event():
        case ExecutionProgressed() as event:
            summary.steps = event.budget_used
        case EffectBegan():
            summary.effects += 1
        case EffectEnded(outcome="done"):
            summary.steps += 1
        case WaitBegan() as event:
            due = event.due_at.isoformat() if event.due_at is not None else None
            summary.waits = {**summary.waits, event.path: due}
        case WaitEnded() as event:
            summary.waits = {k: v for k, v in summary.waits.items() if k != event.path}
        case ExecutionMigrated() as event:
            summary.version = event.workflow_version
        case CancelRequested():
            summary.cancel_requested = True
        case ExecutionPaused():
            summary.paused = True
        case ExecutionResumed():
            summary.paused = False
        case RollbackBegan():
            summary.rolling_back, summary.waits = True, {}
        case ReversalEnded() as event:
            summary.rollback = event.rollback
        case _:
            return summary
    return summary


def _ended(summary: Summary, data: dict[str, Any], at: datetime) -> None:
    summary.outcome, summary.ended_at, summary.waits = data["outcome"], at, {}
    summary.paused = summary.rolling_back = False
    summary.rollback = data["rollback"]
    summary.duration_ms = data["duration_ms"]
    summary.steps, summary.effects = data["steps_count"], data["effects_count"]
    if (error := data["error"]) is not None:
        summary.error_type, summary.error_step = error["type"], error["path"]
        summary.error_attempts, summary.error_status = error["attempts"], error.get("status")
        summary.error_also, summary.error_message = error.get("also", []), error["message"]


def summary_of(events: Sequence[Recorded]) -> Summary | None:
    summary: Summary | None = None
    for recorded in events:
        summary = reduce(summary, recorded)
    return summary


def shown(summary: Summary, leased: bool, queued_for: QueuedFor | None = None) -> ExecutionShown:
    """As REST shows it; `leased` says whether an executor holds it at this moment, `queued_for`
    what it would be waiting for if it is queued."""
    now = status(summary, leased)
    due = min((at for at in summary.waits.values() if at is not None), default=None)
    waiting = next((path for path, at in summary.waits.items() if at == due), None)
    waiting = waiting or next(iter(summary.waits), None)
    return ExecutionShown(
        id=summary.execution, workflow=summary.workflow, version=summary.version,
        status=now, queued_for=queued_for if now == "queued" else None,
        outcome=summary.outcome, mode=summary.mode,  # pyright: ignore[reportArgumentType] - one of the contract's words
        trigger=TriggerFact(**summary.trigger), labels=summary.labels,
        started_at=summary.started_at, ended_at=summary.ended_at,
        duration_ms=summary.duration_ms, waiting_for=waiting,
        due_at=datetime.fromisoformat(due) if due else None,
        error=_error(summary),
        cancel_requested=summary.cancel_requested, steps_count=summary.steps,
        effects_count=summary.effects, parent=summary.parent,
        rollback=summary.rollback,  # pyright: ignore[reportArgumentType] - one of the contract's words
    )  # fmt: skip


def status(summary: Summary, leased: bool) -> Any:
    if summary.outcome is not None:
        return summary.outcome
    if summary.paused:
        return "paused"
    if summary.rolling_back:
        return "rolling-back"
    if leased:
        return "running"
    return "waiting" if summary.waits else "queued"


def _error(summary: Summary) -> ErrorShown | None:
    if summary.error_type is None:
        return None
    return error_of(ErrorFact.model_construct(
        type=summary.error_type, path=summary.error_step, attempts=summary.error_attempts,
        status=summary.error_status, message=None, also=summary.error_also,
    ))  # fmt: skip


def error_of(fact: ErrorFact | None) -> ErrorShown | None:
    """What an error tells without its text: which step and item, which attempt, what to do."""
    if fact is None:
        return None
    numbers = (fact.path or "").partition("[")[2]
    return ErrorShown(
        type=fact.type, step=fact.path, item=f"[{numbers}" if numbers else None,
        attempts=fact.attempts, status=fact.status, also=fact.also, remedy=remedy(fact.type),
    )  # fmt: skip
