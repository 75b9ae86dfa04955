"""Which events start what, decided without servers: types, matches, circles, ids used once."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from libs.common.decider import given
from libs.common.errors import InvalidInput, KeyReused
from libs.common.privacy import DataKey
from libs.language.document import EventTrigger, ScheduleTrigger
from services.executor.arrivals import matches, patterns_of
from services.executor.contract import CustomEventEmitted, EventLoop
from services.executor.emitting import Emit, emitted
from services.executor.event_starts import (
    DEPTH_MAX,
    NotMeant,
    by_event,
    by_schedule,
    fact_of,
    input_of,
    must_fit,
)
from services.executor.work import Start, decode_start, encode

KEY = DataKey("org_1", "executions", "k1", b"k" * 32)
EVENT = {"id": "evt_1", "type": "custom.paid", "data": {"amount": 1}}
NAMES = st.from_regex(r"custom\.[a-z0-9._-]{1,20}|[a-z]{1,9}\.event\.[a-z-]{1,20}", fullmatch=True)


@for_all(NAMES, st.data())
def test_every_pattern_that_means_a_type_is_looked_for(name: str, data: Any) -> None:
    fixed = len("custom.") if name.startswith("custom.") else name.index(".event.") + 7
    pattern = name[: data.draw(st.integers(fixed, len(name)))] + "*"

    assert pattern in patterns_of(name)
    assert name in patterns_of(name)
    assert all(matches(one, name) for one in patterns_of(name))


def test_a_pattern_of_another_kind_does_not_fit() -> None:
    assert not matches("custom.pai", "custom.paid")
    assert not matches("custom.q*", "custom.paid")


def custom(digest: str) -> CustomEventEmitted:
    return CustomEventEmitted(
        event_id="evt_1", event_type="custom.paid", data="v1.k.n.c", bytes=2, body_digest=digest,
        caused_by=None, depth=0,
    )  # fmt: skip


def test_an_event_is_said_once_however_often_it_comes() -> None:
    given(emitted).when(Emit(custom("a"))).then(custom("a"))
    given(emitted, custom("a")).when(Emit(custom("a"))).then_nothing()


def test_the_same_id_with_another_body_is_refused() -> None:
    given(emitted, custom("a")).when(Emit(custom("b"))).then_refused(KeyReused)


def listener(**more: Any) -> Any:
    return SimpleNamespace(**{"owner": "wf_1", "place": "hear", "version": 3} | more)


def arrival(depth: int = 0, workflow: str | None = None) -> Any:
    return SimpleNamespace(depth=depth, workflow=workflow)


def opened(start: Start) -> dict[str, Any]:
    return KEY.open(start.payload, f"call-{start.organization}-{start.call}")


def test_a_start_made_twice_is_the_same_start() -> None:
    one, two = (by_event(KEY, "org_1", listener(), arrival(), EVENT) for _ in range(2))
    newer = by_event(KEY, "org_1", listener(version=4), arrival(), EVENT)
    other = by_event(KEY, "org_1", listener(place="0"), arrival(), EVENT)

    assert (one.execution, one.call, one.body_digest) == (two.execution, two.call, two.body_digest)
    assert newer.execution == one.execution
    assert other.execution != one.execution
    assert decode_start(encode(one)) == one
    assert one.unattended


def test_a_start_says_what_it_is_by() -> None:
    start = by_event(KEY, "org_1", listener(), arrival(depth=2), EVENT)
    fact = fact_of(start)

    assert (fact.kind, fact.event_id, fact.event_type, fact.depth) == (
        "event", "evt_1", "custom.paid", 3,
    )  # fmt: skip
    assert input_of(start, opened(start)) == {"amount": 1}


def test_an_instant_gives_an_empty_input_and_its_time() -> None:
    tick = SimpleNamespace(
        execution="exe_1", org="org_1", workflow="wf_1", schedule="0", version=1,
        due_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    start = by_schedule(KEY, tick)

    assert input_of(start, opened(start)) == {}
    assert fact_of(start).due_at == tick.due_at
    assert start.facts["due_at"] == "2026-01-01T00:00:00.000Z"


class Engine:
    """Evaluates a match to what it is."""

    class documents:  # noqa: N801 - a part of the engine
        @staticmethod
        async def variables(org: str, names: Any) -> dict[str, Any]:
            return {}

    async def evaluate(self, what: Any, scope: Any, clock: str) -> Any:
        return what


def fit(start: Start, *, match: Any = None, enabled: bool = True, trigger: Any = None) -> None:
    found = SimpleNamespace(
        enabled=enabled, name="hears", version=3, workflow="wf_1",
        document=SimpleNamespace(variables=()),
        trigger=lambda path, key: trigger or EventTrigger("hear", "custom.paid", match, None),
    )  # fmt: skip
    asyncio.run(must_fit(cast(Any, Engine()), start, cast(Any, found), opened(start)))


def test_a_match_that_is_not_true_is_passed_over_and_no_boolean_is_refused() -> None:
    start = by_event(KEY, "org_1", listener(), arrival(), EVENT)
    fit(start)
    fit(start, match=True)
    with pytest.raises(NotMeant):
        fit(start, match=False)
    with pytest.raises(InvalidInput):
        fit(start, match="yes")


def test_a_disabled_workflow_or_a_trigger_that_is_gone_is_passed_over() -> None:
    start = by_event(KEY, "org_1", listener(), arrival(), EVENT)
    with pytest.raises(NotMeant):
        fit(start, enabled=False)
    with pytest.raises(NotMeant):
        fit(start, trigger=ScheduleTrigger("hear", "* * * * *", "UTC", "skip", None))


def test_at_most_eight_executions_in_a_row_are_started_by_events() -> None:
    fit(by_event(KEY, "org_1", listener(), arrival(DEPTH_MAX - 1), EVENT))
    with pytest.raises(EventLoop):
        fit(by_event(KEY, "org_1", listener(), arrival(DEPTH_MAX), EVENT))


def test_what_an_event_started_does_not_start_its_own_workflow_again() -> None:
    fit(by_event(KEY, "org_1", listener(), arrival(0, "wf_1"), EVENT))
    fit(by_event(KEY, "org_1", listener(), arrival(1, "wf_2"), EVENT))
    with pytest.raises(EventLoop):
        fit(by_event(KEY, "org_1", listener(), arrival(1, "wf_1"), EVENT))


def test_what_does_not_match_is_not_refused_as_a_circle() -> None:
    with pytest.raises(NotMeant):
        fit(by_event(KEY, "org_1", listener(), arrival(9), EVENT), match=False)
