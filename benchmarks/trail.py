"""`python -m benchmarks.trail`: the trail's writer, one trail and many; the search in ten million.

A durable PostgreSQL of its own, set as `troth up` sets it. Nothing else runs: these are the figures
of the writer and of the search alone. Batches are as the readers hand them over, each in one
transaction that moves the reader too.
"""

import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import msgspec
import psycopg
from sqlalchemy import text

from benchmarks import figures, floors, size
from benchmarks.trail_events import Events, Span
from benchmarks.trail_fill import fill
from benchmarks.trail_search import WrongAnswer, search
from benchmarks.trail_store import PRODUCERS, READERS, Store, opened
from cli.output import table
from libs.common import clock
from libs.common.database import Database
from libs.common.inbox import TAKE_EVENTS_MAX
from libs.common.messages import Recorded
from libs.embedded.children import CannotStart
from services.audit.writing import Writer

BUILD = size.ROOT / "build"
BATCH = TAKE_EVENTS_MAX
MOVE = "update readers set n = :n, incarnation = 1 where name = :name"
TRAILS = (1, 1000)
SHOWN = ("best", "p50", "p95", "max")
ASKED_PER_S, ASKED_MS = ">= 10000", "<= 100"
BYTES = """
select sum(pg_total_relation_size(c.oid)) filter (where relname like 'audit_detail%'),
  sum(pg_total_relation_size(c.oid)) filter (where relname in ('audit_leaf', 'audit_tree')),
  (select sum(count) from audit_leaf)
from pg_class c where relkind = 'r'
"""


@click.command()
@click.option("--entries", default=10_000_000, show_default=True, help="In which is searched.")
@click.option("--events", default=40_000, show_default=True, help="Written in each round.")
@click.option("--keep", type=click.Path(path_type=Path), help="The filled trail, for next time.")
def main(entries: int, events: int, keep: Path | None) -> None:
    """Measures the trail. Exit code 1: the run does not count."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    BUILD.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-trail-", dir=BUILD))
    try:
        found = written(folder / "written", events)
        if entries:
            found |= searched(keep or folder / "searched", entries)
    except (CannotStart, WrongAnswer, ValueError) as error:
        click.echo(f"\nthis run does not count: {error}", err=True)
        raise SystemExit(1) from None
    finally:
        shutil.rmtree(folder)
    kept = BUILD / "bench-trail.json"
    kept.write_text(json.dumps(figures.rounded(found), indent=1) + "\n")
    show(found)
    click.echo(f"\nwritten to {kept.relative_to(size.ROOT)}")


def written(folder: Path, events: int) -> dict[str, Any]:
    """Events a second, and what an entry takes on disk."""
    say(f"the writer: {events:,} events of two producers, in one trail and in 1,000")
    with opened(folder) as store:
        commits = floors.commits(store.admin, 3)
        found = asyncio.run(_written(store, events))
        with psycopg.connect(store.admin) as admin:
            detail, ever, count = admin.execute(BYTES).fetchone() or (0, 0, 1)
    found["bytes"] = {"detail": float(detail / count), "ever": float(ever / count)}
    return {"written": found, "commits_per_s": commits}


async def _written(store: Store, events: int) -> dict[str, Any]:
    database, writer, found = store.database(len(PRODUCERS)), store.writer(), dict[str, Any]()
    await database.open()
    try:
        async with database.work() as connection:
            for producer in PRODUCERS:
                await connection.exec_driver_sql(READERS, (f"trail_{producer}",))
        await _measure(database, writer, 2 * BATCH, 1)
        for trails in TRAILS:
            found[f"{trails}_per_s"] = await _measure(database, writer, events, trails)
    finally:
        await database.close()
    return found


async def _measure(database: Database, writer: Writer, count: int, trails: int) -> float:
    """Events a second; two producers at once, as the readers of a service run."""
    async with database.work() as connection:
        taken = (await connection.execute(text("select max(last) from taken"))).scalar_one() or 0
    share, now = count // len(PRODUCERS), clock.now()
    made = Events(Span(count, now - timedelta(seconds=1), now), writer.keys)
    work = [
        [
            msgspec.structs.replace(event, organization=f"org_{n % trails}")
            for n, event in enumerate(made.some(numbers, producer, taken + 1))
        ]
        for numbers, producer in ((range(share), PRODUCERS[0]), (range(share, count), PRODUCERS[1]))
    ]
    begun = time.perf_counter()
    await asyncio.gather(*(_through(database, writer, events) for events in work))
    return count / (time.perf_counter() - begun)


async def _through(database: Database, writer: Writer, events: list[Recorded]) -> None:
    for at in range(0, len(events), BATCH):
        batch = events[at : at + BATCH]
        producer = batch[0].producer
        async with database.work() as connection:
            values = {"n": batch[-1].sequence, "name": f"trail_{producer}"}
            await connection.execute(text(MOVE), values)
            await writer.enter(connection, producer, batch)


def searched(folder: Path, entries: int) -> dict[str, Any]:
    """What each filter takes in so many entries of 90 days."""
    with opened(folder) as store:
        kept = folder / "span.json"
        if not kept.exists():
            kept.write_bytes(msgspec.json.encode(Span.until_now(entries)))
        span = msgspec.json.decode(kept.read_bytes(), type=Span)
        say(f"the search: {entries:,} entries over 90 days are made, or there already")
        took = fill(store, span)
        say(f"made in {took:.0f} s; each filter, asked again and again")
        found = asyncio.run(search(store, span))
    return {"searched": found | {"entries": span.count, "made_s": took}}


def show(found: dict[str, Any]) -> None:
    commits = f"commits {figures.short(found['commits_per_s'])}/s"
    rows = [
        [f"written, {trails:,} trails",
         figures.short(per_s := found["written"][f"{trails}_per_s"]), "", "events/s",
         ASKED_PER_S, met(per_s, ASKED_PER_S), commits]
        for trails in TRAILS
    ]  # fmt: skip
    click.echo("")
    table(figures.COLUMNS, rows)
    bytes_ = found["written"]["bytes"]
    click.echo(f"an entry: {bytes_['detail']:.0f} bytes for 90 days, {bytes_['ever']:.0f} for ever")
    if (searched := found.get("searched")) is None:
        return
    columns = ("search", "found", *(f"{which} ms" for which in SHOWN), "expected", "")
    rows = [
        [name, str(one["found"]), *(figures.short(one[f"{which}_ms"]) for which in SHOWN), ASKED_MS,
         met(one["max_ms"], ASKED_MS)]
        for name, one in searched["filters"].items()
    ]  # fmt: skip
    click.echo("")
    table(columns, rows)
    click.echo(
        f"{searched['entries']:,} entries over 90 days; the first question of a new process"
        f" {figures.short(searched['first_ms'])} ms;"
        f" floor: a statement that reads nothing {figures.short(searched['floor_ms'])} ms"
    )


def met(value: float, expected: str) -> str:
    return "ok" if figures.meets(value, expected) else "missed"


def say(said: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')}  {said}")


if __name__ == "__main__":
    main()
