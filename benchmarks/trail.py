"""`python -m benchmarks.trail`: events a second through the trail's writer, one trail and many.

A durable PostgreSQL of its own, set as `troth up` sets it; batches as the readers hand them over,
each in one transaction that moves the reader too. Nothing else runs: it is the writer's own figure.
"""

import asyncio
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from sqlalchemy import text

from libs.common import ids
from libs.common.database import Database
from libs.common.messages import Recorded
from libs.common.migrate import migrate
from libs.common.privacy import KeyRing, WrappedKey, wrap
from libs.embedded.postgres import SUPERUSER
from libs.embedded.testing import temporary_postgres
from services.audit.app import SCHEMA
from services.audit.daykeys import DayKeys
from services.audit.people import People
from services.audit.settings import places_in
from services.audit.writing import Writer

BATCH = 1000  # what an inbox takes at once
PRODUCERS = ("executor", "subscriptions")
DATA = msgspec.Raw(
    b'{"path":"fetch","attempt":1,"outcome":"done","status":200,"duration_ms":41,"bytes":2048,'
    b'"value":"v1.k0123456789abcdef.AAAAAAAAAAAAAAAA.' + b"A" * 200 + b'"}'
)
TYPES = ("execution-started", "effect-began", "effect-ended", "execution-finished")
MOVE = "update readers set n = :n, incarnation = 1 where name = :name"


class Keys:
    """Stands in for identity: a key of each person, made when it is asked for."""

    def __init__(self, kek: bytes) -> None:
        self._kek, self._made = kek, dict[str, WrappedKey]()

    async def fetch(self, owner: str, purpose: str) -> WrappedKey:
        kid = f"k{owner}{purpose}"
        if kid not in self._made:
            self._made[kid] = WrappedKey(kid, wrap(self._kek, kid, os.urandom(32)))
        return self._made[kid]

    async def fetch_by_id(self, kid: str) -> tuple[str, WrappedKey] | None:
        return None


def event(producer: str, number: int, trails: int, person_every: int, at: datetime) -> Recorded:
    organization = f"org_{number % trails}"
    person = number % person_every == 0
    return Recorded(
        id=str(ids.uuid7()), source=f"/services/{producer}",
        type=f"{producer}.event.{TYPES[number % 4]}",
        subject=f"execution-{organization}-exe_{number // 4}", time=at, organization=organization,
        streamversion=number % 4 + 1, sequence=number,
        actor=f"per_{number % 50}" if person else "system:executor", data=DATA,
        requestid=f"req_{number}",
    )  # fmt: skip


async def through(
    database: Database, writer: Writer, producer: str, events: list[Recorded]
) -> None:
    for at in range(0, len(events), BATCH):
        batch = events[at : at + BATCH]
        async with database.work() as connection:
            values = {"n": batch[-1].sequence, "name": f"trail_{producer}"}
            await connection.execute(text(MOVE), values)
            await writer.enter(connection, producer, batch)


async def measure(
    database: Database, writer: Writer, count: int, trails: int, person_every: int
) -> float:
    """Events a second; two producers at once, as the readers of a service run."""
    async with database.work() as connection:
        for producer in PRODUCERS:
            await connection.execute(
                text("insert into readers (name) values (:n) on conflict do nothing"),
                {"n": f"trail_{producer}"},
            )
        taken = (await connection.execute(text("select max(last) from taken"))).scalar_one() or 0
    now, share = datetime.now(UTC), count // len(PRODUCERS)
    work = [
        (p, [event(p, n, trails, person_every, now) for n in range(taken + 1, taken + share + 1)])
        for p in PRODUCERS
    ]
    begun = time.perf_counter()
    await asyncio.gather(*(through(database, writer, p, events) for p, events in work))
    return count / (time.perf_counter() - begun)


async def run(url: str, folder: Path, count: int) -> dict[int, float]:
    kek = b"k" * 32
    keys = Keys(kek)
    writer = Writer(
        DayKeys(places_in(folder)), People(KeyRing(kek, keys.fetch), kek, keys.fetch_by_id)
    )
    database, found = Database(url, "audit", "x", "x", kept=len(PRODUCERS)), dict[int, float]()
    await database.open()
    await measure(database, writer, 2 * BATCH, 1, 4)
    for trails in (1, 1000):
        found[trails] = await measure(database, writer, count, trails, 4)
        click.echo(f"{trails:>5} trails: {found[trails]:>8,.0f} events/s", err=False)
    async with database.work() as connection:
        row = (await connection.execute(text(
            "select sum(pg_total_relation_size(c.oid)) filter (where relname like 'audit_detail%'),"
            " sum(pg_total_relation_size(c.oid)) filter (where relname in"
            " ('audit_leaf', 'audit_tree')), (select sum(count) from audit_leaf)"
            " from pg_class c where relkind = 'r'"
        ))).one()  # fmt: skip
    click.echo(f"detail {row[0] / row[2]:,.0f} bytes an entry, for ever {row[1] / row[2]:,.0f}")
    await database.close()
    return found


@click.command()
@click.option("--events", default=40_000, show_default=True)
def main(events: int) -> None:
    """Measures the writer with one trail and with 1,000; three quarters of events by services."""
    with temporary_postgres(fast=False) as server, tempfile.TemporaryDirectory() as folder:
        passwords = ("x",) * (2 + len(SCHEMA.logins))
        migrate(server.dsn("postgres"), [SCHEMA], {"audit": passwords})
        url = f"postgresql://{SUPERUSER}@127.0.0.1:{server.port}"
        asyncio.run(run(url, Path(folder), events))


if __name__ == "__main__":
    sys.exit(main())
