"""What began no execution leaves by plan too: calls, customers' events, copies, late results."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from tests_support.happenings import emit, listening
from tests_support.histories import SECOND, Aging, aging
from tests_support.servers import Servers

from libs.common import ids
from libs.common.errors import NotFound
from libs.common.eventstore import stream_of
from libs.common.testing import eventually
from services.executor.contract import (
    FindCall,
    RecordCall,
    custom_stream,
)
from services.executor.domain import Cancel

ONE = "steps: [{id: a, set: {}}]\n"
WAITS = (
    'steps: [{id: paid, wait: {event: {type: custom.paid, match: "${{ event.data.n == 1 }}"}}}]\n'
)
TOLD = """
troth: 1
name: told
on: [{id: heard, event: {type: executor.event.execution-finished}}]
steps: [{id: a, set: {}}]
"""
DAYS = timedelta(days=7)


@pytest.fixture
async def old(servers: Servers) -> AsyncIterator[Aging]:
    async with aging(servers) as made:
        yield made


async def called(old: Aging, outcome: str) -> tuple[str, datetime]:
    """A call that began nothing, with its body sealed; and when it came."""
    call, org = ids.new("call"), old.bed.org
    key = await old.bed.keys.key(org, "executions")
    body = key.seal({"secret": call}, stream_of("call", org, call))
    reason = "no-such-path" if outcome == "unmatched" else "signature-invalid"
    ask = RecordCall.model_validate({
        "call_id": call, "path": "nowhere", "outcome": outcome, "reason": reason, "body": body,
    })  # fmt: skip
    await old.bed.bus.ask(ask, old.bed.meta)
    await old.seen()
    return call, await moment(old, stream_of("call", org, call))


async def moment(old: Aging, stream: str) -> datetime:
    return (await old.bed.executors[-1].store.load(stream))[0].time


@pytest.mark.parametrize(
    ("plan", "outcome", "days"),
    [("free", "refused", 7), ("pro", "refused", 14), ("enterprise", "refused", 30),
     ("enterprise", "unmatched", 7)],
)  # fmt: skip
async def test_a_call_that_began_nothing_leaves_with_its_body(
    old: Aging, plan: str, outcome: str, days: int
) -> None:
    await old.plan(plan)
    call, at = await called(old, outcome)
    edge = at + timedelta(days=days)

    assert await old.sweep(edge) == 0
    assert (await old.bed.bus.ask(FindCall(call_id=call), old.bed.meta)).value["id"] == call
    assert [await one.overdue(old.database, edge) for one in old.sweeps] == [None] * 5
    late = [await one.overdue(old.database, edge + SECOND) for one in old.sweeps]
    assert late == [None, None, edge, None, None]

    assert await old.sweep(edge + SECOND) == 1
    assert old.holding(call) == {}
    with pytest.raises(NotFound):
        await old.bed.bus.ask(FindCall(call_id=call), old.bed.meta)
    (fact,) = await old.said()
    assert (fact.what, fact.history_days, fact.count) == ("calls", days, 1)


async def test_the_call_of_an_execution_stays_and_leaves_with_it(old: Aging) -> None:
    await old.plan("free")
    said = await old.world.run(ONE)
    ended = await old.ended_at(said.execution)
    started = await moment(old, stream_of("execution", old.bed.org, said.execution))
    assert await old.sweep(min(ended, started + DAYS + SECOND)) == 0
    assert list(old.holding(said.call)) == ["calls", "executions", "log"]
    await old.sweep(ended + DAYS + SECOND)
    assert old.holding(said.call) == {}


async def test_an_own_event_leaves_when_no_wait_can_look_back_to_it(old: Aging) -> None:
    await old.plan("free")
    await old.world.send(WAITS)
    waiting = await old.world.waiting()
    await eventually(lambda: listening(old.bed), bool)
    event = (await emit(old.bed, "custom.paid", {"n": 2}))["id"]
    other = (await emit(old.bed, "custom.other", {"n": 2}))["id"]
    await eventually(lambda: fresh(old), lambda count: count == 0)
    edge = await moment(old, custom_stream(old.bed.org, other)) + DAYS

    assert await old.sweep(edge) == 0
    assert await old.sweep(edge + SECOND) == 1
    assert old.holding(other) == {}
    assert sorted(old.holding(event)) == ["arrivals", "log"], "somebody waits for such a one"

    await old.world.signal(waiting, Cancel(False, None))
    await old.ended_at(waiting)
    assert await old.sweep(edge + SECOND) > 0
    assert "arrivals" not in old.holding(event)
    assert await old.bed.executors[-1].store.load(custom_stream(old.bed.org, event)) == []


async def fresh(old: Aging) -> int:
    counted = "select count(*) from arrivals where fresh_at is not null and org = :org"
    return (await old.numbers(counted, old.bed.org))[0]


async def test_an_id_of_an_own_event_can_be_used_anew_when_it_has_left(old: Aging) -> None:
    await old.plan("free")
    first = await emit(old.bed, "custom.paid", {"n": 1}, id="order-1")
    await eventually(lambda: fresh(old), lambda count: count == 0)
    edge = await moment(old, custom_stream(old.bed.org, first["id"])) + DAYS
    assert await old.sweep(edge + SECOND) == 1
    again = await emit(old.bed, "custom.paid", {"n": 2}, id="order-1")
    assert again == first
    assert len(await old.bed.executors[-1].store.load(custom_stream(old.bed.org, first["id"]))) == 1


async def test_a_copy_of_what_the_log_said_of_an_execution_leaves_by_plan(old: Aging) -> None:
    await old.plan("free")
    await old.bed.publish(TOLD)
    execution = (await old.world.run(ONE)).execution
    ended = await old.ended_at(execution)
    await eventually(lambda: kept(old), lambda count: count > 0)
    await eventually(lambda: fresh(old), lambda count: count == 0)

    await old.sweep(ended + DAYS)
    assert (await kept(old)) > 0
    await old.sweep(ended + DAYS + timedelta(minutes=2))
    assert await kept(old) == 0


async def kept(old: Aging) -> int:
    """Copies of events about executions."""
    counted = "select count(*) from arrivals where starts_with(type, 'executor.') and org = :org"
    return (await old.numbers(counted, old.bed.org))[0]


async def test_a_result_that_comes_when_all_has_left_does_not_stay(old: Aging) -> None:
    await old.plan("free")
    execution = (await old.world.run(ONE)).execution
    late = await old.ended_at(execution) + DAYS + SECOND
    await old.world.engine.note_late(old.bed.org, execution, "a", 1)
    await old.sweep(late)
    assert old.holding(execution) == {}, "with the execution"

    await old.world.engine.note_late(old.bed.org, execution, "a", 1)
    at = await moment(old, stream_of("late", old.bed.org, execution))
    assert await old.sweep(at + DAYS) == 0
    assert await old.sweep(at + DAYS + SECOND) == 1
    assert old.holding(execution) == {}
