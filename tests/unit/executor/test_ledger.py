"""The effect ledger: attempts and the states of an undo, from events."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from libs.common.messages import Event, Recorded
from services.executor.contract import (
    EffectBegan,
    EffectEnded,
    ErrorFact,
    UndoBegan,
    UndoEnded,
    UndoFact,
)
from services.executor.ledger import effects_of

AT = datetime(2026, 11, 22, tzinfo=UTC)
CAN = UndoFact(connector="http-request@1", host="b.example", request="v1.sealed")


def recorded(*events: Event) -> list[Recorded]:
    return [
        Recorded(
            id=str(n), source="/services/executor", type=event.type, subject="execution-org-exe",
            time=AT, organization="org", streamversion=n, sequence=n, actor="system:executor",
            data=msgspec.Raw(event.model_dump_json().encode()),
        )
        for n, event in enumerate(events, 1)
    ]  # fmt: skip


def began(attempt: int = 1, path: str = "post[1]") -> EffectBegan:
    return EffectBegan(
        path=path, connector="http-request@1", effect="write", attempt=attempt,
        idempotency_key=f"exe:{path}", host="a.example", request="v1.sealed", first_at=AT,
    )  # fmt: skip


def over(attempt: int = 1, undo: UndoFact | None = None, error: str | None = None) -> EffectEnded:
    return EffectEnded(
        path="post[1]", attempt=attempt, outcome="failed" if error else "done",
        status=503 if error else 200, duration_ms=7, value=None if error else "v1.sealed",
        bytes=2, error=ErrorFact(type=error) if error else None, retry_at=None, undo=undo,
    )  # fmt: skip


def undoing(attempt: int = 1) -> UndoBegan:
    return UndoBegan(
        path="post[1]", connector="http-request@1", attempt=attempt,
        idempotency_key="exe:post[1]:undo", host="b.example", first_at=AT,
    )  # fmt: skip


def undone(outcome: Any, attempt: int = 1, again: bool = False) -> UndoEnded:
    return UndoEnded(
        path="post[1]", attempt=attempt, outcome=outcome, status=None, duration_ms=3,
        error=ErrorFact(type="timeout") if outcome == "failed" else None,
        retry_at=AT if again else None,
    )  # fmt: skip


def test_every_attempt_is_told_and_one_that_died_has_no_outcome() -> None:
    events = recorded(began(1), over(1, error="server-error"), began(2), began(3), over(3))
    (effect,) = effects_of(events)

    assert effect.outcome == "done" and effect.undo.state == "none"
    told = [(a.attempt, a.outcome, a.status, a.error) for a in effect.attempts]
    assert told == [
        (1, "failed", 503, "server-error"),
        (2, None, None, None),
        (3, "done", 200, None),
    ]


def test_an_undo_is_possible_until_it_is_over() -> None:
    base = [began(), over(undo=CAN)]
    steps = [
        ([], "possible"), ([undoing()], "possible"),
        ([undoing(), undone("failed", again=True)], "possible"),
        ([undoing(), undone("failed", again=True), undoing(2), undone("done", 2)], "undone"),
        ([undoing(), undone("failed")], "failed"),
    ]  # fmt: skip
    for more, state in steps:
        (effect,) = effects_of(recorded(*base, *more))
        assert effect.undo.state == state
        assert len(effect.undo.attempts) == sum(isinstance(e, UndoBegan) for e in more)
    (effect,) = effects_of(recorded(*base, undoing(), undone("failed")))
    assert effect.undo.error == "timeout"
    assert effect.undo.idempotency_key == "exe:post[1]:undo"


def test_an_undo_that_could_not_be_computed_is_impossible() -> None:
    fact = UndoFact(connector="http-request@1", host="none", impossible="v1.sealed")
    (effect,) = effects_of(recorded(began(), over(undo=fact), undone("impossible", 0)))

    assert (effect.undo.state, effect.undo.error) == ("impossible", "can-not-be-computed")
