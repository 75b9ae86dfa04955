"""A world whose executions grow old: plans by the real billing, audit as far as it is asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from sqlalchemy import text

from libs.common.database import Database
from libs.common.errors import NotFound
from libs.common.eventstore import stream_of
from libs.common.service import Service
from libs.common.sweeping import Sweep
from libs.common.testing import eventually, swept
from services.billing.app import build as build_billing
from services.billing.contract import EntitlementsSet
from services.billing.plans import PLANS
from services.executor.contract import SERVICE, FindExecutions, HistoryExpired
from tests_support.blocks import World, one_world
from tests_support.servers import Servers

ALL = 1 << 40
ACTS = "-opened$|history-expired$"
SECOND = timedelta(seconds=1)
ENDED = "select at from log where stream = :stream and type = 'executor.event.execution-finished'"


class Aging:
    """`taken` is what audit has of the executor's log: everything, unless a test says less."""

    def __init__(self, world: World, billing: Service) -> None:
        self.world, self.bed, self.billing = world, world.bed, billing
        self.taken, self.incarnation, self.billed = ALL, 1, True

    @property
    def database(self) -> Database:
        return self.bed.executors[-1].database

    @property
    def sweeps(self) -> list[Sweep]:
        """In the order in which the service has them."""
        wanted = ("executions", "forgotten")
        return [one for one in self.bed.executors[-1].sweeps if one.rule in wanted]

    async def audit(self, message: Any) -> None:
        async with self.database.work() as db:
            head = (await db.execute(text("select n from heads"))).scalar_one()
        said = {"incarnation": self.incarnation, "upto": min(head, self.taken)}
        await message.respond(msgspec.json.encode(said))

    async def plan(self, name: Any, org: str | None = None) -> int:
        """From now on the organization has this plan; its days."""
        limits, org = PLANS[name].limits, org or self.bed.org
        at = datetime.fromisoformat("2026-01-01T00:00:00Z")
        fact = EntitlementsSet(
            executions_per_month=limits.executions_per_month, running_max=limits.running_max,
            history_days=limits.history_days, features=[], valid_from=at, period_ends_at=at,
        )  # fmt: skip
        await self.billing.append_system(stream_of("account", org), fact, organization=org)

        async def known() -> list[int]:
            return await self.numbers("select history_days from entitlements where org = :org", org)

        await eventually(known, lambda found: found == [limits.history_days])
        return limits.history_days

    async def stop_billing(self) -> None:
        if self.billed:
            self.billed = False
            await self.billing.stop()

    async def numbers(self, statement: str, org: str) -> list[int]:
        async with self.database.work() as db:
            return list((await db.execute(text(statement), {"org": org})).scalars())

    async def ended_at(self, execution: str) -> datetime:
        stream = stream_of("execution", self.bed.org, execution)

        async def look() -> Any:
            async with self.database.work() as db:
                return (await db.execute(text(ENDED), {"stream": stream})).scalar()

        return await eventually(look, lambda at: at is not None)

    async def said(self) -> list[HistoryExpired]:
        """What the executor told of what left."""
        store = self.bed.executors[-1].store
        where = "where org = %s and type = %s order by n"
        async with self.database.hot.connection() as connection:
            found = await store.select(connection, where, (self.bed.org, HistoryExpired.type))
        events = [recorded.event() for recorded in found]
        return [event for event in events if isinstance(event, HistoryExpired)]

    async def seen(self) -> None:
        """The views have what there is."""
        _, head, _ = await self.bed.executors[-1].store.page(0, 1)
        for reader in self.bed.executors[-1].readers:
            assert reader.producer != SERVICE or await reader.reached(head, 20)

    async def sweep(self, at: datetime) -> int:
        """Applies the rules as if it were then; how many rows went."""
        await self.seen()
        await self.relayed()
        return sum(await swept(self.database, self.sweeps, at))

    async def relayed(self) -> None:
        executor = self.bed.executors[-1]

        async def behind() -> int:
            _, head, _ = await executor.store.page(0, 1)
            return head - (executor.relay.published if executor.relay else 0)

        await eventually(behind, lambda left: left <= 0)
        if self.billed:
            _, head, _ = await executor.store.page(0, 1)
            meter = next(r for r in self.billing.readers if r.name == "metering")
            assert await meter.reached(head, 20)

    def tables(self) -> list[str]:
        with self.admin() as admin:
            found = admin.execute(
                "select tablename from pg_tables where schemaname = 'public' order by 1"
            ).fetchall()
        return [name for (name,) in found]

    def holding(self, *marks: str) -> dict[str, int]:
        """Which tables hold any of these texts in any column, and in how many rows.

        That somebody opened an execution stays a fact, with the id that it had, and so does what
        left with it.
        """
        found: dict[str, int] = {}
        with self.admin() as admin:
            for table in self.tables():
                count = f"select count(*) from {table} t where t::text ~ %s"
                count += f" and type !~ '{ACTS}'" if table == "log" else ""
                row = admin.execute(count.encode(), ("|".join(marks),)).fetchone()
                if row and row[0]:
                    found[table] = row[0]
        return found

    def admin(self) -> psycopg.Connection[Any]:
        name = self.database.name
        return psycopg.connect(self.bed.servers.admin_url, dbname=name, autocommit=True)


@asynccontextmanager
async def aging(servers: Servers, executors: int = 1) -> AsyncIterator[Aging]:
    async with one_world(servers, executors) as world:
        billing = build_billing(world.bed.settings)
        await billing.start()
        made = Aging(world, billing)
        try:
            await world.bed.bus.nc.subscribe("audit.query.find-taken", cb=made.audit)
            yield made
        finally:
            await made.stop_billing()


async def listed(world: World) -> list[str]:
    found = await world.bed.bus.ask(FindExecutions(limit=200), world.bed.meta)
    return [one["id"] for one in found.value["data"]]


async def events_of(old: Aging, execution: str) -> list[str]:
    stream = stream_of("execution", old.bed.org, execution)
    return [e.type.rpartition(".")[2] for e in await old.bed.executors[-1].store.load(stream)]


async def is_gone(old: Aging, execution: str) -> None:
    assert old.holding(execution) == {}
    with pytest.raises(NotFound):
        await old.world.shown(execution)
