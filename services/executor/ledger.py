"""The effect ledger, read from an execution's log: attempts of each effect, and its undo."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from libs.common.messages import Recorded
from services.executor.contract import (
    AttemptShown,
    EffectBegan,
    EffectEnded,
    EffectShown,
    UndoBegan,
    UndoEnded,
    UndoFact,
    UndoShown,
)


@dataclass(slots=True)
class _Effect:
    began: EffectBegan
    attempts: dict[int, AttemptShown] = field(default_factory=dict)
    undo: UndoFact | None = None
    undo_key: str | None = None
    undoing: dict[int, AttemptShown] = field(default_factory=dict)
    undone: UndoEnded | None = None


def effects_of(events: Sequence[Recorded]) -> list[EffectShown]:
    """In the order in which they began."""
    found: dict[str, _Effect] = {}
    for recorded in events:
        match event := recorded.event():
            case EffectBegan():
                one = found.setdefault(event.path, _Effect(event))
                one.attempts[event.attempt] = _began(event.attempt, recorded)
            case EffectEnded() if event.path in found:
                one = found[event.path]
                _ended(one.attempts, event, recorded)
                one.undo = event.undo or one.undo
            case UndoBegan() if event.path in found:
                one = found[event.path]
                one.undo_key = event.idempotency_key
                one.undoing[event.attempt] = _began(event.attempt, recorded)
            case UndoEnded() if event.path in found:
                one = found[event.path]
                _ended(one.undoing, event, recorded)
                one.undone = event
            case _:
                continue
    return [_shown(one) for one in found.values()]


def _began(attempt: int, recorded: Recorded) -> AttemptShown:
    return AttemptShown(
        attempt=attempt, outcome=None, status=None, error=None, began_at=recorded.time,
        ended_at=None, duration_ms=None,
    )  # fmt: skip


def _ended(
    attempts: dict[int, AttemptShown], event: EffectEnded | UndoEnded, recorded: Recorded
) -> None:
    if (began := attempts.get(event.attempt)) is not None:
        attempts[event.attempt] = began.model_copy(update={
            "outcome": "done" if event.outcome == "done" else "failed",
            "status": event.status, "error": event.error.type if event.error else None,
            "ended_at": recorded.time, "duration_ms": event.duration_ms,
        })  # fmt: skip


def _shown(one: _Effect) -> EffectShown:
    attempts = list(one.attempts.values())
    return EffectShown(
        step=one.began.path, connector=one.began.connector, effect=one.began.effect,
        host=one.began.host, idempotency_key=one.began.idempotency_key,
        outcome=attempts[-1].outcome, attempts=attempts, undo=_undo(one),
    )  # fmt: skip


def _undo(one: _Effect) -> UndoShown:
    """Where it stands: an attempt that failed and will be repeated leaves it possible."""
    if one.undo is None:
        return UndoShown(state="none")
    last = one.undone
    error = last.error.type if last is not None and last.error is not None else None
    if one.undo.request is None:
        state, error = "impossible", "can-not-be-computed"
    elif last is None or last.retry_at is not None:
        state = "possible"
    else:
        state = "undone" if last.outcome == "done" else "failed"
    return UndoShown(
        state=state, connector=one.undo.connector, host=one.undo.host,
        idempotency_key=one.undo_key, error=error, status=last.status if last else None,
        attempts=list(one.undoing.values()),
    )  # fmt: skip
