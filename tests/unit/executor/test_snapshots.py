"""A snapshot is made of a stretch of the log while the run goes on: the rest fits behind it."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from libs.common.messages import Event, Recorded
from services.executor import snapshots
from services.executor.contract import EffectBegan, EffectEnded, ExecutionStarted, UndoFact
from services.executor.state import Going, evolve

AT = datetime(2026, 11, 22, tzinfo=UTC)
CAN = UndoFact(connector="http-request@1", host="b.example", request="v1.sealed")
STARTED = ExecutionStarted.model_construct(execution_id="exe_1")


def began(path: str) -> EffectBegan:
    return EffectBegan(
        path=path, connector="http-request@1", effect="write", attempt=1,
        idempotency_key=f"exe:{path}", host="a.example", request="v1.sealed", first_at=AT,
    )  # fmt: skip


def ended(path: str, undo: UndoFact | None = None) -> EffectEnded:
    return EffectEnded(
        path=path, attempt=1, outcome="done", status=200, duration_ms=7, value="v1.sealed",
        bytes=2, error=None, retry_at=None, undo=undo,
    )  # fmt: skip


def recorded(*events: Event) -> list[Recorded]:
    return [
        Recorded(
            id=str(n), source="/services/executor", type=event.type, subject="execution-org-exe",
            time=AT, organization="org", streamversion=n, sequence=n, actor="system:executor",
            data=msgspec.Raw(event.model_dump_json().encode()),
        )
        for n, event in enumerate(events, 1)
    ]  # fmt: skip


def kept(stretch: list[Event], later: list[Event]) -> snapshots.Stretch:
    """Of a stretch, by a run that knows already what came later."""
    state: Any = Going(STARTED)
    for event in [*stretch, *later]:
        state = evolve(state, event)
    run = SimpleNamespace(noted=set(), state=state, open=lambda _: {"ok": 1}, seal=lambda _: "v1.s")
    places = SimpleNamespace(taken_in=lambda path, noted: False)
    return snapshots.keep(cast(Any, run), cast(Any, places), recorded(*stretch))


@pytest.mark.parametrize("undo", [None, CAN])
def test_an_effect_that_ends_behind_the_snapshot_is_known_to_have_begun(
    undo: UndoFact | None,
) -> None:
    later: list[Event] = [ended("post[1]", undo)]

    state: Any = snapshots.restored(STARTED, [kept([began("post[1]")], later)])
    for event in later:
        state = evolve(state, event)

    assert state.effects["post[1]"].ended == later[0] and "post[1]" in state.results
    assert state.effects_seen == 1


@pytest.mark.parametrize("undo", [None, CAN])
def test_what_is_over_in_its_stretch_leaves_its_result_and_its_undo(undo: UndoFact | None) -> None:
    made = kept([began("post[1]"), ended("post[1]", undo)], [])
    state = snapshots.restored(STARTED, [made])

    assert list(state.results) == ["post[1]"] and state.effects_seen == 1
    assert list(state.undos) == (["post[1]"] if undo else [])
    assert ("post[1]" in state.effects) == (undo is not None)


def test_an_effect_over_two_stretches_has_ended() -> None:
    first = kept([began("post[1]")], [ended("post[1]")])
    second = kept_behind([ended("post[1]")])
    state = snapshots.restored(STARTED, [first, second])

    assert state.effects["post[1]"].ended is not None and "post[1]" in state.results
    assert (state.effects_seen, state.steps) == (1, 1)


def kept_behind(stretch: list[Event]) -> snapshots.Stretch:
    """Of a stretch whose effects began before it."""
    run = SimpleNamespace(noted=set(), open=lambda _: {"ok": 1}, seal=lambda _: "v1.s")
    places = SimpleNamespace(taken_in=lambda path, noted: False)
    return snapshots.keep(cast(Any, run), cast(Any, places), recorded(*stretch))
