"""Accounts on real servers: they follow organizations, plans, months, and raise alarms."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from libs.common import ids
from libs.common.errors import Forbidden, NotFound, Unavailable
from libs.common.messages import Meta
from libs.common.testing import eventually
from services.billing.app import build
from services.billing.contract import (
    ChangePlan,
    EntitlementsSet,
    FindAccount,
    FindPlans,
    PeriodClosed,
    UsageAlarmRaised,
    UsageInPeriod,
)  # fmt: skip
from services.billing.domain import account_stream, month_end, month_start
from services.billing.watching import close_periods

from .conftest import ONE, World, count_many


async def test_an_organization_gets_a_free_account_when_it_is_founded(world: World) -> None:
    await world.found(ONE)
    account = await world.account()
    assert (account.plan, account.limits.executions_per_month) == ("free", 1000)
    assert account.period.ends_at == month_end(datetime.now(UTC))
    assert account.used.executions == 0
    assert account.alarms == []


async def test_each_mark_raises_one_alarm_in_a_period(world: World) -> None:
    await world.found(ONE)
    await world.account()

    async def raised() -> list[tuple[int, int]]:
        return [(a.percent, a.used) for a in await world.recorded(UsageAlarmRaised)]

    await count_many(world.billing, 799)
    await count_many(world.billing, 1)
    await eventually(raised, lambda seen: seen == [(80, 800)])
    await count_many(world.billing, 150)
    await count_many(world.billing, 50)
    await eventually(raised, lambda seen: seen == [(80, 800), (100, 1000)])

    async def shown() -> list[tuple[int, int]]:
        return [(a.percent, a.limit) for a in (await world.account()).alarms]

    await eventually(shown, lambda seen: seen == [(80, 1000), (100, 1000)])


async def test_the_operator_changes_a_plan_and_the_entitlements_follow(world: World) -> None:
    await world.found(ONE)
    await world.account()
    with pytest.raises(Forbidden):
        await world.ask(ChangePlan(plan="pro"), ONE, "usage:read")
    changed = await world.ask(ChangePlan(plan="pro", organization=ONE), "org_operators")
    assert (changed["organization"], changed["plan"]) == (ONE, "pro")
    account = await world.account()
    assert (account.plan, account.limits.running_max) == ("pro", 50)
    entitled = await world.recorded(EntitlementsSet)
    assert [e.executions_per_month for e in entitled] == [1000, 50_000]
    with pytest.raises(NotFound):
        await world.ask(ChangePlan(plan="pro", organization="org_nobody"))


async def test_the_same_change_twice_is_carried_out_once(world: World) -> None:
    await world.found(ONE)
    await world.account()
    meta = Meta(
        organization=ONE, actor="per_1", permissions=frozenset({"instance"}),
        command_id=str(ids.uuid7()), command_digest="d",
    )  # fmt: skip
    answers = [await world.executor.bus.ask(ChangePlan(plan="enterprise"), meta) for _ in range(2)]
    assert answers[0].value == answers[1].value
    assert [a.replayed for a in answers] == [False, True]
    assert len(await world.recorded(EntitlementsSet)) == 2


async def test_months_that_ended_are_closed_one_by_one_with_their_own_usage(
    world: World,
) -> None:
    this = month_start(datetime.now(UTC))
    last = month_start(this - timedelta(days=1))
    before = month_start(last - timedelta(days=1))
    await count_many(world.billing, 7, at=before + timedelta(days=3))
    await count_many(world.billing, 9, at=last + timedelta(days=3))
    await world.found(ONE, at=before + timedelta(days=1))

    async def closed() -> list[tuple[datetime, int]]:
        events = await world.recorded(PeriodClosed)
        return [(e.period_starts_at, e.meters[0].used) for e in events]

    grace = timedelta(seconds=0)

    async def close() -> list[tuple[datetime, int]]:
        await close_periods(world.billing, grace)
        return await closed()

    await eventually(close, lambda seen: len(seen) >= 2)
    await close_periods(world.billing, grace)
    assert await closed() == [(before, 7), (last, 9)]
    account = await world.account()
    assert (account.period.starts_at, account.used.executions) == (this, 0)


async def test_a_period_stays_open_while_starts_of_it_may_be_missing(world: World) -> None:
    await world.found(ONE)
    await world.account()
    await world.executor.stop()
    async with world.billing.database.work() as connection:
        await connection.execute(text("update accounts set period_ends_at = '2020-02-01'"))
    with pytest.raises(Unavailable):
        await close_periods(world.billing)
    assert await world.recorded(PeriodClosed) == []


async def test_plans_are_public_and_paged(world: World) -> None:
    page = (await world.executor.bus.ask(FindPlans(), Meta())).value
    assert [plan["name"] for plan in page["data"]] == ["free", "pro", "enterprise"]
    first = (await world.executor.bus.ask(FindPlans(limit=2), Meta())).value
    rest = (await world.executor.bus.ask(FindPlans(after=first["next"]), Meta())).value
    assert [plan["name"] for plan in rest["data"]] == ["enterprise"]
    assert rest["next"] is None


async def test_emptied_views_are_rebuilt_to_the_same_answers(world: World) -> None:
    await world.found(ONE)
    await world.account()
    await world.ask(ChangePlan(plan="pro"))
    await world.start_executions(ONE, 4)
    await eventually(world.used, lambda n: n == 4)
    asked = (FindAccount(), UsageInPeriod(by=["day", "workflow", "kind"]))
    before = [await world.ask(query) for query in asked]
    events = len(await world.billing.store.load(account_stream(ONE)))
    await world.billing.stop()
    world.billing = build(world.settings)
    for reader in world.billing.readers:
        await reader.reset()
    await world.billing.start()
    await eventually(world.used, lambda n: n == 4)
    assert [await world.ask(query) for query in asked] == before
    assert len(await world.billing.store.load(account_stream(ONE))) == events
