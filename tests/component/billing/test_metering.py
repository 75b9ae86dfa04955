"""Billing on real servers: accounts follow organizations, starts are counted exactly once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
import pytest
from sqlalchemy import text
from tests_support.producers import append, delete_streams, schema_of, stand_in
from tests_support.servers import Servers

from libs.common import ids
from libs.common.errors import Forbidden, NotFound, Unavailable
from libs.common.eventstore import stream_of
from libs.common.messages import Meta, Recorded
from libs.common.service import Service
from libs.common.settings import Settings
from libs.common.testing import eventually, prepare
from services.billing.app import SCHEMA, build
from services.billing.contract import (
    AccountShown,
    ChangePlan,
    EntitlementsSet,
    FindAccount,
    FindPlans,
    PeriodClosed,
    UsageAlarmRaised,
    UsageInPeriod,
)  # fmt: skip
from services.billing.domain import account_stream, month_end, month_start
from services.billing.subscribers import meter, metering
from services.billing.watching import close_periods
from services.executor.contract import ExecutionStarted, TriggerFact
from services.identity.contract import OrganizationFounded

ONE, TWO = "org_one", "org_two"
Mode = Literal["live", "draft", "test", "replay"]


class World:
    """Billing with stand-ins for identity and executor."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.identity = stand_in("identity", settings)
        self.executor = stand_in("executor", settings)
        self.billing = build(settings)

    async def found(self, organization: str, at: datetime | None = None) -> None:
        founded = OrganizationFounded(
            organization_id=organization, name="v1.k.n.c", slug="acme", owner_id="per_1",
            founded_at=at or datetime.now(UTC),
        )  # fmt: skip
        stream = stream_of("organization", organization)
        await append(self.identity, stream, [founded], organization)

    async def start_executions(
        self, organization: str, count: int, workflow: str = "wf_1", mode: Mode = "live"
    ) -> None:
        for _ in range(count):
            execution = ids.new("exe")
            stream = stream_of("execution", organization, execution)
            await append(self.executor, stream, [started(execution, workflow, mode)], organization)

    async def ask(self, message: Any, organization: str = ONE, *permissions: str) -> Any:
        meta = Meta(
            organization=organization, actor="per_1",
            permissions=frozenset(permissions or ("usage:read", "instance")),
        )  # fmt: skip
        return (await self.executor.bus.ask(message, meta)).value

    async def account(self, organization: str = ONE) -> AccountShown:
        return AccountShown.model_validate(await self.ask(FindAccount(), organization))

    async def used(self) -> int:
        return (await self.account()).used.executions

    async def recorded(self, kind: type[Any], organization: str = ONE) -> list[Any]:
        found = await self.billing.store.load(account_stream(organization))
        return [r.event() for r in found if r.type == kind.type]


def started(execution: str, workflow: str, mode: Mode = "live") -> ExecutionStarted:
    return ExecutionStarted(
        execution_id=execution, workflow_id=workflow, workflow_version=1, mode=mode,
        trigger=TriggerFact(kind="webhook", call_id="call_1", path="orders"),
        idempotency_digest="d", body_digest="d", input="v1.k.n.c", input_bytes=10, labels={},
    )  # fmt: skip


@asynccontextmanager
async def living(servers: Servers) -> AsyncIterator[World]:
    settings = prepare(
        servers.admin_url, [SCHEMA, schema_of("identity"), schema_of("executor")],
        servers.nats_url, servers.prefix(),
    )  # fmt: skip
    world = World(settings)
    try:
        for service in (world.identity, world.executor, world.billing):
            await service.start()
        yield world
    finally:
        for service in (world.billing, world.executor, world.identity):
            await service.stop()
        await delete_streams(settings, "billing", "executor", "identity")


async def test_an_organization_gets_a_free_account_when_it_is_founded(servers: Servers) -> None:
    async with living(servers) as world:
        await world.found(ONE)
        account = await world.account()
        assert (account.plan, account.limits.executions_per_month) == ("free", 1000)
        assert account.period.ends_at == month_end(datetime.now(UTC))
        assert account.used.executions == 0
        assert account.alarms == []


async def test_only_live_starts_are_counted_and_each_once(servers: Servers) -> None:
    async with living(servers) as world:
        await world.found(ONE)
        await world.start_executions(ONE, 5)
        await world.start_executions(ONE, 3, "wf_2")
        await world.start_executions(ONE, 2, mode="draft")
        await world.start_executions(ONE, 1, mode="test")
        await world.start_executions(TWO, 4)
        await eventually(world.used, lambda n: n >= 8)
        rows = (await world.ask(UsageInPeriod()))["data"]
        assert [(r["workflow"], r["kind"], r["executions"]) for r in rows] == [
            ("wf_2", None, 3), ("wf_1", None, 5),
        ]  # fmt: skip
        total = (await world.ask(UsageInPeriod(by=["kind"])))["data"]
        assert total == [{"day": None, "workflow": None, "kind": "webhook", "executions": 8}]
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        assert (await world.ask(UsageInPeriod(from_at=tomorrow)))["data"] == []
        with pytest.raises(Forbidden):
            await world.ask(UsageInPeriod(), ONE, "audit:read")


async def test_usage_is_paged_without_gap_or_repeat(servers: Servers) -> None:
    async with living(servers) as world:
        await world.found(ONE)
        for number in range(5):
            await world.start_executions(ONE, 1, f"wf_{number}")
        await eventually(world.used, lambda n: n == 5)
        seen, after = [], None
        while True:
            page = await world.ask(UsageInPeriod(limit=2, after=after))
            seen += [row["workflow"] for row in page["data"]]
            if (after := page["next"]) is None:
                break
        assert seen == ["wf_4", "wf_3", "wf_2", "wf_1", "wf_0"]


async def test_duplicates_redeliveries_and_restarts_do_not_count_twice(servers: Servers) -> None:
    async with living(servers) as world:
        await world.found(ONE)
        await world.start_executions(ONE, 20)
        await eventually(world.used, lambda n: n == 20)
        said = await world.executor.bus.js.get_last_msg("EXECUTOR", "executor.event.batch.0")
        assert said.data is not None
        headers = {k: v for k, v in (said.headers or {}).items() if k != "Nats-Msg-Id"}
        for _ in range(3):
            await world.executor.bus.js.publish(
                "executor.event.batch.0", said.data, headers=headers
            )
        await world.billing.stop()
        await world.executor.bus.js.delete_consumer("EXECUTOR", "billing-metering")
        world.billing = build(world.settings)
        await world.billing.start()
        await world.start_executions(ONE, 1)
        await eventually(world.used, lambda n: n >= 21)
        assert await world.used() == 21


async def test_a_lost_stream_loses_no_usage(servers: Servers) -> None:
    async with living(servers) as world:
        await world.found(ONE)
        await world.start_executions(ONE, 3)
        await eventually(world.used, lambda n: n == 3)
        await world.billing.stop()
        await world.start_executions(ONE, 4)
        relay = world.executor.relay
        assert relay is not None

        async def published() -> int:
            return relay.published

        await eventually(published, lambda n: n == 7)
        await world.executor.bus.js.delete_stream("EXECUTOR")
        world.billing = build(world.settings)
        await world.billing.start()
        await eventually(world.used, lambda n: n == 7)


async def test_each_mark_raises_one_alarm_in_a_period(servers: Servers) -> None:
    async with living(servers) as world:
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
        shown = (await world.account()).alarms
        assert [(a.percent, a.limit) for a in shown] == [(80, 1000), (100, 1000)]


async def count_many(billing: Service, count: int, at: datetime | None = None) -> None:
    """Counts as the meter does, as one batch; then lets the watch look at it."""
    now = at or datetime.now(UTC)
    batch = [
        Recorded(
            id=str(ids.uuid7()), source="/services/executor", type=ExecutionStarted.type,
            subject=f"execution-{ONE}-exe_{n}", time=now, organization=ONE, streamversion=1,
            sequence=n, actor="system:executor",
            data=msgspec.Raw(started(f"exe_{n}", "wf_1").model_dump_json().encode()),
        )
        for n in range(count)
    ]  # fmt: skip
    async with billing.database.work() as connection:
        await meter(connection, batch)
    reader = next(r for r in billing.readers if r.name == metering.name)
    reader.n += 1


async def test_the_operator_changes_a_plan_and_the_entitlements_follow(servers: Servers) -> None:
    async with living(servers) as world:
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


async def test_the_same_change_twice_is_carried_out_once(servers: Servers) -> None:
    async with living(servers) as world:
        await world.found(ONE)
        await world.account()
        meta = Meta(
            organization=ONE, actor="per_1", permissions=frozenset({"instance"}),
            command_id=str(ids.uuid7()), command_digest="d",
        )  # fmt: skip
        answers = [
            await world.executor.bus.ask(ChangePlan(plan="enterprise"), meta) for _ in range(2)
        ]
        assert answers[0].value == answers[1].value
        assert [a.replayed for a in answers] == [False, True]
        assert len(await world.recorded(EntitlementsSet)) == 2


async def test_months_that_ended_are_closed_one_by_one_with_their_own_usage(
    servers: Servers,
) -> None:
    async with living(servers) as world:
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


async def test_a_period_stays_open_while_starts_of_it_may_be_missing(servers: Servers) -> None:
    async with living(servers) as world:
        await world.found(ONE)
        await world.account()
        await world.executor.stop()
        async with world.billing.database.work() as connection:
            await connection.execute(text("update accounts set period_ends_at = '2020-02-01'"))
        with pytest.raises(Unavailable):
            await close_periods(world.billing)
        assert await world.recorded(PeriodClosed) == []


async def test_plans_are_public_and_paged(servers: Servers) -> None:
    async with living(servers) as world:
        page = (await world.executor.bus.ask(FindPlans(), Meta())).value
        assert [plan["name"] for plan in page["data"]] == ["free", "pro", "enterprise"]
        first = (await world.executor.bus.ask(FindPlans(limit=2), Meta())).value
        rest = (await world.executor.bus.ask(FindPlans(after=first["next"]), Meta())).value
        assert [plan["name"] for plan in rest["data"]] == ["enterprise"]
        assert rest["next"] is None
