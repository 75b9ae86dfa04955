"""Usage is a fact of billing's own log: what billing shows follows from that log alone."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from sqlalchemy import text

from libs.common import clock
from libs.common.database import LOST
from libs.common.errors import DomainError, Unavailable
from libs.common.migrate import migrate
from libs.common.testing import PASSWORD, eventually
from services.billing import folding, keeping, leaving
from services.billing.app import SCHEMA
from services.billing.contract import UsageCounted, UsageInPeriod, UsageMetered
from services.billing.domain import day_of, usage_stream
from services.billing.folding import AFTER, fold

from .conftest import ONE, TWO, World

SECOND = timedelta(seconds=1)


async def rows_of(world: World, organization: str = ONE) -> list[tuple[str, int]]:
    found = (await world.ask(UsageInPeriod(), organization))["data"]
    return [(row["workflow"], row["executions"]) for row in found]


async def count_of(world: World, table: str) -> int:
    async with world.billing.database.work() as db:
        return (await db.execute(text(f"select count(*) from {table}"))).scalar_one()


async def facts(world: World, organization: str = ONE) -> list[UsageMetered]:
    stream = usage_stream(organization, day_of(clock.now())[:4])
    return [one.event() for one in await world.billing.store.load(stream)]  # pyright: ignore[reportReturnType] - of one type


async def said(world: World) -> None:
    """What is counted becomes facts now, and the views have them."""
    while await fold(world.billing, clock.now() + SECOND):
        pass
    await taken(world)


async def taken(world: World) -> None:
    async def left() -> int:
        _, head, _ = await world.billing.store.page(0, 1)
        usage = next(r for r in world.billing.readers if r.name == "usage")
        return head - usage.n

    await eventually(left, lambda n: n == 0)


async def begin_anew(world: World, *names: str) -> None:
    """As a raised version does it: what they derived is gone, and they begin at the first event."""
    await world.billing.stop()
    for reader in world.billing.readers:
        if reader.name in names:
            await reader.reset()
    await world.restart_billing()


async def test_what_was_counted_becomes_one_fact_an_hour_later_and_is_shown_once(
    world: World,
) -> None:
    await world.found(ONE)
    await world.start_executions(ONE, 3)
    await world.start_executions(ONE, 2, "wf_2")
    await eventually(world.used, lambda n: n == 5)

    assert await fold(world.billing, clock.now() - AFTER) == 0
    await said(world)

    (fact,) = await facts(world)
    today = day_of(clock.now())
    assert fact.rows == [
        UsageCounted(day=today, workflow="wf_1", kind="webhook", executions=3),
        UsageCounted(day=today, workflow="wf_2", kind="webhook", executions=2),
    ]
    assert fact.upto == 5
    assert await count_of(world, "counting") == 0
    assert (await world.used(), await rows_of(world)) == (5, [("wf_2", 2), ("wf_1", 3)])


async def test_all_is_shown_again_from_billings_own_log_when_the_executors_has_forgotten(
    world: World,
) -> None:
    await world.found(ONE)
    await world.start_executions(ONE, 4)
    await eventually(world.used, lambda n: n == 4)
    await said(world)
    await world.start_executions(ONE, 1)
    await eventually(world.used, lambda n: n == 5)
    await world.wait_published(5)
    world.in_log_of("executor", "insert into expired select partition, n from log where n <= 4")
    world.in_log_of("executor", "delete from log where n <= 4")
    await world.executor.bus.js.delete_stream("EXECUTOR")

    await begin_anew(world, "accounts", "usage", "metering")

    await eventually(world.used, lambda n: n == 5)
    assert await rows_of(world) == [("wf_1", 5)]


async def test_a_meter_that_begins_anew_passes_over_what_facts_hold(world: World) -> None:
    await world.found(ONE)
    await world.start_executions(ONE, 4)
    await world.start_executions(TWO, 2)
    await eventually(world.used, lambda n: n == 4)
    await said(world)
    await world.start_executions(ONE, 1)
    await eventually(world.used, lambda n: n == 5)

    await begin_anew(world, "metering")
    await world.start_executions(ONE, 1)

    await eventually(world.used, lambda n: n >= 6)
    assert (await world.used(), await rows_of(world, TWO)) == (6, [("wf_1", 2)])


async def test_a_fold_that_dies_on_its_way_has_said_marked_and_moved_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.found(ONE)
    await world.start_executions(ONE, 2)
    await eventually(world.used, lambda n: n == 2)
    within = folding.append_within

    async def dies(*given: Any, **more: Any) -> bool:
        await within(*given, **more)
        raise OSError("killed")

    monkeypatch.setattr(folding, "append_within", dies)
    with pytest.raises(Unavailable):
        await fold(world.billing, clock.now() + SECOND)
    assert (await facts(world), await count_of(world, "counted")) == ([], 0)
    monkeypatch.setattr(folding, "append_within", within)
    await said(world)

    assert [sum(row.executions for row in fact.rows) for fact in await facts(world)] == [2]
    assert await world.used() == 2


async def test_counting_and_saying_at_once_and_a_restart_lose_and_double_nothing(
    world: World,
) -> None:
    await world.found(ONE)
    await eventually(world.used, lambda n: n == 0)

    async def says() -> None:
        while True:
            with suppress(DomainError, *LOST):
                await fold(world.billing, clock.now() + SECOND)
            await asyncio.sleep(0.01)

    saying = asyncio.create_task(says())
    try:
        await world.start_executions(ONE, 40)
        await world.restart_billing()
        await world.start_executions(ONE, 40)
        await eventually(world.used, lambda n: n >= 80)
    finally:
        saying.cancel()
    await said(world)

    assert sum(row.executions for fact in await facts(world) for row in fact.rows) == 80
    assert (await world.used(), await rows_of(world)) == (80, [("wf_1", 80)])


async def test_many_rows_are_said_in_facts_of_a_bounded_size(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "ROWS", 2)
    await world.found(ONE)
    for number in range(5):
        await world.start_executions(ONE, 1, f"wf_{number}")
    await eventually(world.used, lambda n: n == 5)
    await said(world)

    assert [len(fact.rows) for fact in await facts(world)] == [2, 2, 1]
    assert await world.used() == 5


async def test_what_an_older_version_counted_is_carried_over_and_said_first(world: World) -> None:
    await world.found(ONE)
    await world.start_executions(ONE, 1)
    await eventually(world.used, lambda n: n == 1)
    await world.billing.stop()
    name, today = f"{world.settings.database_prefix}billing", day_of(clock.now())
    with psycopg.connect(world.admin_url, dbname=name, autocommit=True) as as_it_was:
        for statement in (
            "drop table counting", "drop table counted", "delete from readers where name = 'usage'",
            "delete from migrations",
            f"insert into usage values ('{ONE}', '2020-12-31', 'wf_old', 'manual', 7),"
            f" ('{ONE}', '{today}', 'wf_1', 'webhook', 1)",
            f"insert into used values ('{ONE}', '2020-12', 7), ('{ONE}', '{today[:7]}', 1)",
        ):  # fmt: skip
            as_it_was.execute(statement.encode())
    passwords = {"billing": (PASSWORD, PASSWORD)}
    migrate(world.admin_url, [SCHEMA], passwords, world.settings.database_prefix)
    await world.restart_billing()

    async def known() -> list[tuple[str, int]]:
        return await rows_of(world)

    await eventually(known, lambda rows: rows == [("wf_1", 1), ("wf_old", 7)])
    await eventually(lambda: count_of(world, "usage"), lambda n: n == 2)
    assert await world.used() == 1
    (old,) = [one.event() for one in await world.billing.store.load(usage_stream(ONE, "2020"))]
    assert isinstance(old, UsageMetered) and old.rows[0].executions == 7


async def test_a_year_of_facts_leaves_the_log_when_the_law_allows_and_audit_has_it(
    world: World,
) -> None:
    await world.found(ONE)
    await world.start_executions(ONE, 2)
    await eventually(world.used, lambda n: n == 2)
    await said(world)
    upto = 0

    async def audit(message: Any) -> None:
        await message.respond(msgspec.json.encode({"incarnation": 1, "upto": upto}))

    listening = await world.executor.bus.nc.subscribe("audit.query.find-taken", cb=audit)
    years = keeping.years_of("DK")
    ends = keeping.over_at(day_of(clock.now()), years)
    sweep = leaving.sweep(world.billing, years)
    database = world.billing.database
    try:
        assert await sweep.run(database, ends - SECOND) == 0
        assert await sweep.run(database, ends + SECOND) == 0, "audit has not taken it"
        assert await sweep.overdue(database, ends + SECOND) == ends
        _, upto, _ = await world.billing.store.page(0, 1)
        await eventually(lambda: _published(world), lambda n: n >= upto)
        await sweep.run(database, ends + SECOND)
    finally:
        await listening.unsubscribe()

    assert (await facts(world), await count_of(world, "counted")) == ([], 0)
    assert await sweep.overdue(database, ends + SECOND) is None


async def _published(world: World) -> int:
    return world.billing.relay.published if world.billing.relay else 0
