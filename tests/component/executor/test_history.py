"""Execution history by plan: what is older leaves whole, what is not stays whole."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from tests_support.histories import SECOND, Aging, aging, events_of, is_gone, listed
from tests_support.replays import output, replayed
from tests_support.servers import Servers

from libs.common.errors import NotFound, Unavailable
from services.billing.plans import PLANS
from services.executor import plans
from services.executor.contract import (
    FollowTimeline,
    OpenData,
    ReplayExecution,
)
from services.executor.domain import Cancel

ONE = "steps: [{id: a, set: {n: '${{ input.n }}'}}]\noutput: ${{ a.n }}\n"
NAP = "{id: nap, wait: {for: 1h}}"
PARKED = f"steps: [{NAP}]\n"


@pytest.fixture
async def old(servers: Servers) -> AsyncIterator[Aging]:
    async with aging(servers) as made:
        yield made


@pytest.mark.parametrize("plan", PLANS)
async def test_it_leaves_when_the_days_of_its_plan_are_over_and_not_before(
    old: Aging, plan: Any
) -> None:
    days = timedelta(days=await old.plan(plan))
    execution = (await old.world.run(ONE)).execution
    ended = await old.ended_at(execution)
    events = await events_of(old, execution)

    assert await old.sweep(ended + days) == 0
    assert await events_of(old, execution) == events
    assert (await listed(old.world), await output(old.world, execution)) == ([execution], 7)
    assert [await one.overdue(old.database, ended + days) for one in old.sweeps] == [None] * 5

    late = ended + days + SECOND
    assert (await old.sweeps[0].overdue(old.database, late)) == ended + days
    assert await old.sweep(late) > 0
    await is_gone(old, execution)
    assert await listed(old.world) == []
    assert [await one.overdue(old.database, late) for one in old.sweeps] == [None] * 5


async def test_a_plan_that_is_not_known_here_keeps_what_any_plan_keeps(old: Aging) -> None:
    execution = (await old.world.run(ONE)).execution
    ended = await old.ended_at(execution)

    assert max(plan.limits.history_days for plan in PLANS.values()) == plans.LONGEST_DAYS
    assert await old.sweep(ended + timedelta(days=plans.LONGEST_DAYS)) == 0
    assert await old.sweep(ended + timedelta(days=plans.LONGEST_DAYS) + SECOND) > 0


async def test_nothing_leaves_while_a_newer_plan_may_be_on_its_way(
    old: Aging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view of billing that is rebuilt passes all plans that the organization ever had."""
    await old.plan("free")
    execution = (await old.world.run(ONE)).execution
    late = await old.ended_at(execution) + timedelta(days=20)
    reader = next(r for r in old.bed.executors[-1].readers if r.name == "billing")

    async def not_reached(n: int, timeout_s: float = 0) -> bool:
        return False

    monkeypatch.setattr(reader, "reached", not_reached)
    with pytest.raises(Unavailable):
        await old.sweep(late)
    monkeypatch.undo()
    await old.stop_billing()
    with pytest.raises(Unavailable):
        await old.sweep(late)
    assert (await old.world.shown(execution))["id"] == execution


async def test_a_smaller_plan_shortens_at_the_next_run_and_a_bigger_one_keeps_what_is_there(
    old: Aging,
) -> None:
    await old.plan("enterprise")
    first = (await old.world.run(ONE)).execution
    late = await old.ended_at(first) + timedelta(days=10)
    assert await old.sweep(late) == 0
    await old.plan("free")
    assert await old.sweep(late) > 0
    await is_gone(old, first)

    second = (await old.world.run(ONE)).execution
    late = await old.ended_at(second) + timedelta(days=10)
    await old.plan("pro")
    assert await old.sweep(late) == 0
    assert await output(old.world, second) == 7


async def test_live_ones_of_the_same_day_stay_whole(old: Aging) -> None:
    await old.plan("free")
    ended = (await old.world.run(ONE)).execution
    await old.world.send(PARKED)
    live = await old.world.waiting()
    before = await old.world.events(live)

    assert await old.sweep(await old.ended_at(ended) + timedelta(days=400)) > 0

    await is_gone(old, ended)
    assert await listed(old.world) == [live]
    assert await old.world.events(live) == before
    opened = await old.bed.bus.ask(OpenData(execution_id=live), old.bed.meta)
    assert opened.value["input"] == {"n": 7}
    await old.world.kill_and_replace()
    assert (await old.world.shown(live))["status"] in ("waiting", "queued", "running")


async def test_a_child_stays_as_long_as_what_started_it_and_a_parent_as_long_as_it_runs(
    old: Aging,
) -> None:
    await old.plan("free")
    await old.world.publish("child", ONE)
    await old.world.send(f"steps: [{{id: sub, workflow: child, with: {{n: 3}}}}, {NAP}]\n")
    parent = await old.world.waiting()
    child = await old.world.child_of(parent)
    late = await old.ended_at(child) + timedelta(days=100)

    assert await old.sweep(late) == 0
    assert await output(old.world, child) == 3

    await old.world.signal(parent, Cancel(False, None))
    ended = await old.ended_at(parent)
    edge = ended + timedelta(days=7)
    assert await old.sweep(edge) == 0, "the child is as old as its parent's end"
    await old.sweep(edge + SECOND)
    assert await events_of(old, parent) == []
    assert await output(old.world, child) == 3
    await old.sweep(edge + SECOND)
    await is_gone(old, child)
    await is_gone(old, parent)


async def test_what_a_live_replay_repeats_stays_until_it_ends(old: Aging) -> None:
    await old.plan("free")
    await old.world.send(PARKED)
    first = await old.world.waiting()
    await old.world.signal(first, Cancel(False, None))
    late = await old.ended_at(first) + timedelta(days=100)
    again = (await replayed(old.world, first))["id"]
    assert await old.world.waiting() == again

    assert await old.sweep(late) == 0
    assert (await old.world.shown(first))["id"] == first
    await old.world.signal(again, Cancel(False, None))
    await old.ended_at(again)
    assert await old.sweep(late) > 0
    await is_gone(old, first)


async def test_what_has_left_cannot_be_replayed_followed_nor_opened(old: Aging) -> None:
    await old.plan("free")
    execution = (await old.world.run(ONE)).execution
    await old.sweep(await old.ended_at(execution) + timedelta(days=8))
    for ask in (
        ReplayExecution(execution_id=execution), OpenData(execution_id=execution),
        FollowTimeline(execution_id=execution),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await old.bed.bus.ask(ask, old.bed.meta)
