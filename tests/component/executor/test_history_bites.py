"""History leaves in bites: hidden first, up to what others have, each once, whoever dies."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests_support.histories import SECOND, Aging, aging, events_of, is_gone, listed
from tests_support.servers import Servers

from libs.common import leaving, readers
from libs.common.errors import NotFound
from libs.common.testing import eventually
from services.billing import views as billing_views
from services.billing.contract import CountedShown
from services.executor import forgetting, history, views

MILLISECOND = timedelta(milliseconds=1)
ONE = "steps: [{id: a, set: {n: '${{ input.n }}'}}]\noutput: ${{ a.n }}\n"


@pytest.fixture
async def old(servers: Servers) -> AsyncIterator[Aging]:
    async with aging(servers) as made:
        yield made


async def test_what_audit_lacks_is_hidden_and_leaves_the_log_later(
    old: Aging, monkeypatch: pytest.MonkeyPatch
) -> None:
    await old.plan("free")
    execution = (await old.world.run(ONE)).execution
    late = await old.ended_at(execution) + timedelta(days=8)
    old.taken = 0
    events = await events_of(old, execution)

    assert await old.sweep(late) == 1
    with pytest.raises(NotFound):
        await old.world.shown(execution)
    assert await events_of(old, execution) == events
    behind = (await old.sweeps[1].overdue(old.database, late)) or late
    assert late - behind > timedelta(hours=23), "the lag tells it"

    monkeypatch.setattr(views, "A_DAY", timedelta())
    await old.bed.executors[-1].readers[0].reset()  # rebuilt from a log that has it still
    await old.seen()
    assert await listed(old.world) == []
    old.taken = 1 << 40
    assert await old.sweep(late) > 0
    await is_gone(old, execution)


async def test_what_billing_has_not_counted_stays_in_the_log_until_it_has(
    old: Aging, monkeypatch: pytest.MonkeyPatch
) -> None:
    await old.plan("free")
    execution = (await old.world.run(ONE)).execution
    late = await old.ended_at(execution) + timedelta(days=8)
    events = await events_of(old, execution)

    async def behind(connection: Any) -> CountedShown:
        return CountedShown(incarnation=1, upto=0)

    monkeypatch.setattr(billing_views, "find_counted", behind)
    await old.sweep(late)
    assert await events_of(old, execution) == events
    monkeypatch.undo()
    assert await old.sweep(late) > 0
    await is_gone(old, execution)


async def test_running_twice_does_nothing_more_and_each_bite_is_said_once(old: Aging) -> None:
    await old.plan("free")
    names = [(await old.world.run(ONE)).execution for _ in range(3)]
    ends = [await old.ended_at(name) for name in names]
    late = ends[-1] + timedelta(days=7) + SECOND

    assert await old.sweep(late) > 0
    assert await old.sweep(late) == 0
    (said,) = await old.said()
    assert (said.what, said.history_days, said.count) == ("executions", 7, 3)
    assert abs(said.first_at - ends[0]) < MILLISECOND
    assert abs(said.last_at - ends[-1]) < MILLISECOND


async def test_a_process_that_dies_in_the_middle_leaves_each_whole_or_none_of_it(
    old: Aging, monkeypatch: pytest.MonkeyPatch
) -> None:
    await old.plan("free")
    names = [(await old.world.run(ONE)).execution for _ in range(4)]
    late = await old.ended_at(names[-1]) + timedelta(days=8)
    await old.seen()
    monkeypatch.setattr(history, "BITE", 2)
    monkeypatch.setattr(forgetting, "AT_ONCE", 1)
    engine = old.bed.executors[-1].engine

    async def dies(*_: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as dying:
        dying.setattr(forgetting, "hide", dies)
        with pytest.raises(RuntimeError):
            await history.hide_over(engine, old.database, late)
    assert sorted(await listed(old.world)) == sorted(names)
    assert await history.hide_over(engine, old.database, late) == 2
    assert len(await listed(old.world)) == 2
    await old.relayed()
    assert await forgetting.expire(engine, late) > 0
    await old.world.kill_and_replace()

    assert await old.sweep(late) > 0
    for name in names:
        assert await events_of(old, name) == []
    assert [said.count for said in await old.said()] == [2, 2], "each bite once"


async def test_a_long_one_leaves_in_pieces_and_is_seen_by_nobody_meanwhile(
    old: Aging, monkeypatch: pytest.MonkeyPatch
) -> None:
    await old.plan("free")
    many = "\n".join(f"  - {{id: s{n}, wait: {{for: 1ms}}}}" for n in range(6))
    execution = (await old.world.run(f"steps:\n{many}\n")).execution
    late = await old.ended_at(execution) + timedelta(days=8)
    await old.seen()
    await old.relayed()
    monkeypatch.setattr(leaving, "MOST", 4)
    engine = old.bed.executors[-1].engine
    count = len(await events_of(old, execution))
    assert count > 8, "it takes three bites"

    await history.hide_over(engine, old.database, late)
    assert await forgetting.expire(engine, late) == 4
    assert len(await events_of(old, execution)) == count - 4
    with pytest.raises(NotFound):
        await old.world.shown(execution)
    await old.sweep(late)
    await is_gone(old, execution)


async def test_readers_pass_what_has_left_and_go_on(
    old: Aging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "RETRY_S", 0.1)
    await old.plan("free")
    gone = (await old.world.run(ONE)).execution
    late = await old.ended_at(gone) + timedelta(days=8)
    await old.sweep(late)
    stays = (await old.world.run(ONE)).execution
    await old.ended_at(stays)
    reader = old.bed.executors[-1].readers[0]
    await reader.reset()
    await eventually(lambda: listed(old.world), lambda found: found == [stays])
    async with old.database.work() as db:
        stopped = await db.execute(text("select name from readers where error is not null"))
    assert stopped.all() == []
