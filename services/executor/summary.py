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
    ExecutionProgressed,
    ExecutionShown,
    ExecutionStarted,
    TriggerFact,
    WaitBegan,
    WaitEnded,
)  # fmt: skip


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
    waits: dict[str, str] = field(default_factory=dict)
    error_type: str | None = None
    error_step: str | None = None
    error_attempts: int | None = None
    cancel_requested: bool = False
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
            summary.waits = {**summary.waits, event.path: event.due_at.isoformat()}
        case WaitEnded() as event:
            summary.waits = {k: v for k, v in summary.waits.items() if k != event.path}
        case CancelRequested():
            summary.cancel_requested = True
        case _:
            return summary
    return summary


def _ended(summary: Summary, data: dict[str, Any], at: datetime) -> None:
    summary.outcome, summary.ended_at, summary.waits = data["outcome"], at, {}
    summary.duration_ms = data["duration_ms"]
    summary.steps, summary.effects = data["steps_count"], data["effects_count"]
    if (error := data["error"]) is not None:
        summary.error_type, summary.error_step = error["type"], error["path"]
        summary.error_attempts = error["attempts"]


def summary_of(events: Sequence[Recorded]) -> Summary | None:
    summary: Summary | None = None
    for recorded in events:
        summary = reduce(summary, recorded)
    return summary


def shown(summary: Summary, leased: bool) -> ExecutionShown:
    """As REST shows it; `leased` says whether an executor holds it at this moment."""
    due = min(summary.waits.values(), default=None)
    waiting = next((path for path, at in summary.waits.items() if at == due), None)
    return ExecutionShown(
        id=summary.execution, workflow=summary.workflow, version=summary.version,
        status=status(summary, leased), outcome=summary.outcome, mode=summary.mode,  # pyright: ignore[reportArgumentType] - one of the contract's words
        trigger=TriggerFact(**summary.trigger), labels=summary.labels,
        started_at=summary.started_at, ended_at=summary.ended_at,
        duration_ms=summary.duration_ms, waiting_for=waiting,
        due_at=datetime.fromisoformat(due) if due else None,
        error=error_shown(summary.error_type, summary.error_step, summary.error_attempts),
        cancel_requested=summary.cancel_requested, steps_count=summary.steps,
        effects_count=summary.effects,
    )  # fmt: skip


def status(summary: Summary, leased: bool) -> Any:
    if summary.outcome is not None:
        return summary.outcome
    if leased:
        return "running"
    return "waiting" if summary.waits else "queued"


def error_shown(kind: str | None, step: str | None, attempts: int | None) -> ErrorShown | None:
    return ErrorShown(type=kind, step=step, attempts=attempts) if kind else None


def error_of(fact: ErrorFact | None) -> ErrorShown | None:
    return error_shown(fact.type, fact.path, fact.attempts) if fact else None
