"""The trail's writer on a database of its own, without a bus: for tests that choose the events."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import text

from libs.common import ids
from libs.common.database import Database
from libs.common.messages import Recorded
from libs.common.privacy import KeyRing
from libs.common.testing import PASSWORD, prepare
from libs.trail.canonical import CLASSES
from libs.trail.tree import split
from services.audit.app import SCHEMA
from services.audit.contract import EntryShown, FindEntries
from services.audit.daykeys import DayKeys
from services.audit.detail import Opened, unseal
from services.audit.people import People
from services.audit.searching import find_entries
from services.audit.settings import places_in
from services.audit.writing import Writer
from tests_support.people_keys import PeopleKeys
from tests_support.servers import Servers

ORG = "org_one"
MOVE = """insert into readers (name, n, incarnation) values ('trail_executor', :n, :i)
  on conflict (name) do update set n = excluded.n, incarnation = excluded.incarnation"""
DETAILS = "select day, trail, seq, sealed from audit_detail order by trail, seq"
LEAVES = "select trail, first, leaves, bodies, days, classes from audit_leaf order by trail, first"


class Leaf(msgspec.Struct):
    """One entry as the permanent layer has it."""

    trail: UUID
    seq: int
    day: int
    class_: str
    body: bytes
    hash: bytes


class Desk:
    """`add` enters events of the executor, numbered on; `found` searches as a caller does."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        prefix = servers.prefix()
        settings = prepare(servers.admin_url, [SCHEMA], servers.nats_url, prefix)
        self.admin_dsn = make_conninfo(servers.admin_url, dbname=f"{prefix}audit")
        self.database = Database(settings.database_url, "audit", PASSWORD, PASSWORD, prefix)
        self.folder, self.people_keys, self.incarnation, self.last = folder, PeopleKeys(), 1, 0
        self.kek = settings.kek_bytes
        self.anew()

    def anew(self) -> None:
        """As another process would begin: nothing is remembered."""
        ring = KeyRing(self.kek, self.people_keys.fetch)
        self.keys = DayKeys(places_in(self.folder))
        self.people = People(ring, self.kek, self.people_keys.fetch_by_id)
        self.writer = Writer(self.keys, self.people)

    def event(self, **more: Any) -> Recorded:
        self.last += 1
        made: dict[str, Any] = {
            "id": str(ids.uuid7()), "source": "/services/executor", "sequence": self.last,
            "type": "executor.event.noted", "subject": f"execution-{ORG}-exe_{self.last}",
            "time": datetime.now(UTC), "organization": ORG, "streamversion": 1,
            "actor": "system:executor", "data": msgspec.Raw(b'{"amount":7}'),
        } | more  # fmt: skip
        return Recorded(**made)

    async def enter(self, events: Sequence[Recorded]) -> None:
        async with self.database.work() as connection:
            values = {"n": events[-1].sequence, "i": self.incarnation}
            await connection.execute(text(MOVE), values)
            await self.writer.enter(connection, "executor", events)

    async def add(self, count: int = 1, **more: Any) -> list[Recorded]:
        events = [self.event(**more) for _ in range(count)]
        await self.enter(events)
        return events

    async def found(self, organization: str = ORG, **filters: Any) -> list[EntryShown]:
        query = FindEntries.model_validate({"limit": 200} | filters)
        async with self.database.read(organization) as connection:
            return (await find_entries(connection, self.keys, self.people, query)).data

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """As the server's administrator."""
        with psycopg.connect(self.admin_dsn) as connection:
            return connection.execute(sql.encode(), values or None).fetchall()

    def leaves(self) -> list[Leaf]:
        found = []
        for trail, first, leaves, bodies, days, classes in self.rows(LEAVES):
            for at, (leaf, body) in enumerate(zip(split(leaves), split(bodies), strict=True)):
                day = int.from_bytes(days[4 * at : 4 * at + 4], "big")
                found.append(Leaf(trail, first + at, day, CLASSES[classes[at]], body, leaf))
        return found

    async def opened(self) -> list[tuple[int, Opened]]:
        """Number in its trail, and the opened detail."""
        found = []
        for day, trail, seq, sealed in self.rows(DETAILS):
            opened = await unseal(sealed, self.keys.of(day), trail, seq, self.people)
            assert opened is not None, seq
            found.append((seq, opened))
        return found


def today() -> int:
    return int(time.time()) // 86_400


def days_ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)
