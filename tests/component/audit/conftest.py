"""Audit on real servers, with stand-ins for the services whose events it takes."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import nats
import psycopg
import pytest
from nats.js.errors import NotFoundError
from sqlalchemy import text
from tests_support.people_keys import PeopleKeys
from tests_support.producers import append, delete_streams, schema_of, stand_in
from tests_support.servers import Servers

from libs.common import ids
from libs.common.eventstore import stream_of
from libs.common.fields import Count
from libs.common.messages import Event, Meta
from libs.common.service import Service
from libs.common.testing import PASSWORD, eventually, prepare
from services.audit.app import SCHEMA, Parts, parts_of
from services.audit.contract import (
    PRODUCERS,
    CompletenessShown,
    FindCompleteness,
    ProducerShown,
    TrailRead,
)
from services.audit.daykeys import KEPT_DAYS, DayKeys
from services.audit.settings import AuditSettings
from tests.fakes.witness import Witness

ONE, TWO = "org_one", "org_two"
COUNTED = """select (select coalesce(sum(count), 0)::bigint from audit_leaf),
  (select count(*) from audit_detail), (select coalesce(sum(size), 0)::bigint from trail_heads)"""


class Noted(Event):
    """Something of which audit knows nothing; not in the list of event types."""

    type: ClassVar[str] = "executor.event.noted"
    amount: Count = 7


class World:
    def __init__(self, servers: Servers, folder: Path) -> None:
        schemas = [SCHEMA, *(schema_of(name) for name in PRODUCERS)]
        self.admin_url, prefix = servers.admin_url, servers.prefix()
        common = prepare(servers.admin_url, schemas, servers.nats_url, prefix)
        self.settings = AuditSettings.model_validate(
            dict(common)
            | {
                "audit_keys": f"{folder}/one/days:{folder}/two/days",
                "audit_signing_key": f"{folder}/signing/key",
            }
        )
        # Stands still, so that no full hour comes while a test counts; a test moves it.
        self.now = datetime.now(UTC)
        self.producers = {name: stand_in(name, self.settings) for name in PRODUCERS}
        self.people = PeopleKeys()
        self.parts = self.build()
        self.audit = self.parts.service

    def build(self) -> Parts:
        return parts_of(
            self.settings, fetch_key=self.people.fetch, fetch_by_id=self.people.fetch_by_id,
            clock=lambda: self.now,
        )  # fmt: skip

    def all(self) -> list[Service]:
        return [*self.producers.values(), self.audit]

    async def note(
        self, count: int, organization: str = ONE, producer: str = "executor", actor: str = "per_1"
    ) -> str:
        """So many events of one execution; its id."""
        execution = ids.new("exe")
        stream = stream_of("execution", organization, execution)
        service = self.producers[producer]
        await append(service, stream, [Noted()] * count, organization, actor=actor)
        return execution

    async def ask(
        self, message: Any, organization: str = ONE, permission: str = "",
        actor: str = "system:reader",
    ) -> Any:  # fmt: skip
        """As a service: what people read of the trail makes entries of its own."""
        permissions = frozenset({permission} if permission else {"audit:read", "instance"})
        meta = Meta(organization=organization, actor=actor, permissions=permissions)
        return (await self.producers["identity"].bus.ask(message, meta)).value

    async def completeness(self) -> CompletenessShown:
        return CompletenessShown.model_validate(await self.ask(FindCompleteness()))

    async def of(self, producer: str = "executor") -> ProducerShown:
        shown = await self.completeness()
        return next(p for p in shown.producers if p.producer == producer)

    async def complete(self, timeout_s: float = 15) -> CompletenessShown:
        return await eventually(self.completeness, lambda c: c.complete, timeout_s)

    async def count(self) -> int:
        async with self.audit.database.work() as connection:
            found = await connection.execute(text(COUNTED))
            leaves, details, heads = found.one()
        assert leaves == details == heads
        return leaves

    async def restart_audit(self, *, forget_consumers: bool = False) -> None:
        await self.audit.stop()
        if forget_consumers:
            connection = await nats.connect(self.settings.nats_url, user="admin", password=PASSWORD)
            for producer in PRODUCERS:
                with suppress(NotFoundError):
                    await connection.jetstream().delete_consumer(
                        producer.upper(), f"audit-trail-{producer}"
                    )
            await connection.close()
        self.parts = self.build()
        self.audit = self.parts.service
        await self.audit.start()

    async def wait_published(self, number: int, producer: str = "executor") -> None:
        async def published() -> int:
            relay = self.producers[producer].relay
            return relay.published if relay else 0

        await eventually(published, lambda n: n >= number)

    def as_administrator(self) -> "psycopg.Connection[Any]":
        """A connection to audit's database that may do everything; its user closes it."""
        name = f"{self.settings.database_prefix}audit"
        return psycopg.connect(self.admin_url, dbname=name, autocommit=True)

    def in_log_of(self, producer: str, statement: str) -> None:
        """As the server's administrator: what no service may do to a log."""
        name = f"{self.settings.database_prefix}{producer}"
        with psycopg.connect(self.admin_url, dbname=name, autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture
async def world(servers: Servers, tmp_path: Path) -> AsyncIterator[World]:
    made = World(servers, tmp_path)
    try:
        for service in made.all():
            await service.start()
        yield made
    finally:
        for service in reversed(made.all()):
            await service.stop()
        await delete_streams(made.settings, "audit", *PRODUCERS)


class Past(World):
    """Events of days that are to be forgotten; nothing runs before `begin`.

    The ratchet begins with `first`, the oldest of six days that are ninety days old or older.
    """

    def __init__(self, servers: Servers, folder: Path) -> None:
        super().__init__(servers, folder)
        self.today = int(self.now.timestamp()) // 86_400
        self.first = self.today - KEPT_DAYS - 5
        self.places = self.settings.key_places
        DayKeys(self.places, lambda: self.first + KEPT_DAYS - 1).refresh()

    async def on(
        self, day: int, count: int, kind: type[Event] = Noted, organization: str = ONE,
        actor: str = "per_1",
    ) -> None:  # fmt: skip
        """So many events at noon of this day."""
        service = self.producers["executor"]
        stream = stream_of("execution", organization, ids.new("exe"))
        await append(service, stream, [kind()] * count, organization, actor=actor)
        at = f"timestamptz 'epoch' + interval '{day * 24 + 12} hours'"
        self.in_log_of("executor", f"update log set at = {at} where stream = '{stream}'")

    async def begin(self, digests: int = 24) -> None:
        """Starts everything; so many digests, one an hour up to the last full one, are there."""
        for service in self.all():
            await service.start()
        await self.audit.note_start("0", "0")
        await self.complete(30)
        self.add_digests(digests)

    def add_digests(self, count: int, hours: int = 1, later: timedelta = timedelta()) -> None:
        end = self.now.replace(minute=0, second=0, microsecond=0) + later
        with self.as_administrator() as admin:
            for back in range(count, 0, -1):
                at = end - timedelta(hours=hours) * back
                admin.execute(
                    "insert into digests select coalesce(max(number), 0) + 1, %s, %s, true, 'note',"
                    " '[]' from digests", (at, at + timedelta(hours=hours)),
                )  # fmt: skip

    async def forget(self) -> int:
        """Turns of the runner until nothing more goes."""
        gone = 0
        while step := await self.parts.forgetting.anonymizer.step():
            gone += step
        return gone

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """As the server's administrator."""
        with self.as_administrator() as admin:
            return admin.execute(sql.encode(), values or None).fetchall()

    def order(self, sql: str) -> None:
        with self.as_administrator() as admin:
            admin.execute(sql.encode())

    def told(self, kind: type[Event], organization: str | None = None) -> list[Any]:
        """The data of such events in audit's log."""
        found = self.rows("select org, data from log where type = %s order by n", kind.type)
        return [data for org, data in found if organization in (None, org)]

    async def looks(self) -> list[Any]:
        """Of the one organization into whose case somebody looked."""
        return self.told(TrailRead, ONE)

    def days_kept(self) -> list[int]:
        """Days whose details are there, without those that are made ahead."""
        sql = "select distinct day from audit_detail order by 1"
        return [day for (day,) in self.rows(sql)]


@pytest.fixture
async def past(servers: Servers, tmp_path: Path) -> AsyncIterator[Past]:
    made = Past(servers, tmp_path)
    try:
        yield made
    finally:
        for service in reversed(made.all()):
            await service.stop()
        await delete_streams(made.settings, "audit", *PRODUCERS)


@pytest.fixture
async def one() -> AsyncIterator[Witness]:
    async with Witness("witness.example/one", seed=1) as witness:
        yield witness


@pytest.fixture
async def two() -> AsyncIterator[Witness]:
    async with Witness("witness.example/two", seed=2) as witness:
        yield witness
