"""What makes a run count: durable servers, everything committed published and audited, sealed."""

import asyncio
import json
import time
from dataclasses import dataclass
from urllib.request import urlopen

import nats

from benchmarks.following import FINISHED
from benchmarks.stack import Failed, Stack
from cli.services import schemas
from libs.common.relay import LAST
from libs.common.streams import subject_of
from libs.embedded.postgres import DURABILITY

STARTED = "executor.event.execution-started"
EVEN_WITHIN_S = 60.0
SEALED = ("input", "output", "values", "value", "request", "body", "headers")


@dataclass(frozen=True)
class Counts:
    """Events of one producer in its log, on its stream, in the trail of audit."""

    committed: int
    published: int
    audited: int

    @property
    def even(self) -> bool:
        return self.committed == self.published == self.audited


def settings(stack: Stack) -> dict[str, str]:
    """How the servers keep what they promise, asked from themselves; Failed when they do not."""
    with stack.connect("executor") as connection:
        found: dict[str, str] = {}
        for name in DURABILITY:
            row = connection.execute("select current_setting(%s)", (name,)).fetchone()
            assert row is not None, "a setting has a value"
            found[name] = row[0]
    off = [name for name, value in found.items() if value != "on"]
    if off:
        raise Failed(f"PostgreSQL runs with {off[0]} = {found[off[0]]}")
    return found | {"NATS sync": _nats_sync(stack)}


def _nats_sync(stack: Stack) -> str:
    with urlopen(f"http://127.0.0.1:{stack.state().nats.monitor_port}/varz", timeout=5) as answer:
        config = json.load(answer)["jetstream"]["config"]
    if config.get("sync_always"):
        return "always"
    return f"every {config['sync_interval'] / 1e9:g} s"


def even(stack: Stack) -> dict[str, Counts]:
    """Per producer, once all three agree; Failed when they do not in time."""
    deadline = time.monotonic() + EVEN_WITHIN_S
    while True:
        found = counts(stack)
        odd = {name: c for name, c in found.items() if not c.even}
        if not odd:
            return found
        if time.monotonic() > deadline:
            name, c = next(iter(odd.items()))
            raise Failed(
                f"{name}: {c.committed} events committed, {c.published} published,"
                f" {c.audited} audited"
            )
        time.sleep(0.25)


def counts(stack: Stack) -> dict[str, Counts]:
    """From three places: the producers' databases, JetStream, the database of audit."""
    producers = [schema.service for schema in schemas() if schema.has_log]
    committed = {name: _committed(stack, name) for name in producers}
    published = asyncio.run(_published(stack, producers))
    with stack.connect("audit") as connection:
        rows = connection.execute(
            "select producer, sum(entered)::bigint from taken group by 1"
        ).fetchall()
    audited = {str(name): int(count) for name, count in rows}
    return {
        name: Counts(committed[name], published[name], audited.get(name, 0)) for name in producers
    }


def _committed(stack: Stack, producer: str) -> int:
    with stack.connect(producer) as connection:
        row = connection.execute("select (select n from heads), (select count(*) from log)")
        head, rows = row.fetchone() or (0, 0)
    if head != rows:
        raise Failed(f"{producer}: the log has {rows} events, its head says {head}")
    return head


async def _published(stack: Stack, producers: list[str]) -> dict[str, int]:
    """The last number on each stream, asked as the producer, who alone may."""
    passwords = stack.folder.read_secrets().nats
    address, found = f"nats://127.0.0.1:{stack.state().nats.port}", dict[str, int]()
    for name in producers:
        client = await nats.connect(
            address, user=name, password=passwords[name], inbox_prefix=f"_INBOX_{name}".encode()
        )
        try:
            last = await client.jetstream().get_last_msg(name.upper(), subject_of(name))
            found[name] = int((last.headers or {})[LAST])
        finally:
            await client.close()
    return found


def finished(stack: Stack, expected: int) -> None:
    """Every call that was answered is one execution that ended, and none besides."""
    with stack.connect("executor") as connection:
        row = connection.execute("select count(*) from log where type = %s", (FINISHED,)).fetchone()
    if row != (expected,):
        raise Failed(f"{expected} executions were called for, the log has {row} that ended")


def begun_and_ended(stack: Stack, first: int) -> tuple[set[str], set[str]]:
    """The executions that the log has as started, and as finished, behind a number."""
    found: dict[str, set[str]] = {STARTED: set(), FINISHED: set()}
    with stack.connect("executor") as connection:
        rows = connection.execute(
            "select type, stream from log where n > %s and type = any(%s)", (first, [*found])
        )
        for type_, stream in rows:
            found[type_].add(stream.rpartition("-")[2])
    return found[STARTED], found[FINISHED]


def longest(stack: Stack, first: int) -> float:
    """Seconds from its own start to its own end, of the execution that took longest."""
    with stack.connect("executor") as connection:
        row = connection.execute(
            "select extract(epoch from max(f.at - s.at))::float8 from log s"
            " join log f on f.stream = s.stream and f.type = %s where s.n > %s and s.type = %s",
            (FINISHED, first, STARTED),
        ).fetchone()
    assert row is not None, "an aggregate has a row"
    return row[0]


def repeated(stack: Stack, first: int) -> int:
    """Results that a step has beyond its first one, behind a number of the log."""
    with stack.connect("executor") as connection:
        row = connection.execute(
            "select count(*) - count(distinct (stream, r ->> 'path')) from log,"
            " json_array_elements(case json_typeof(data -> 'results')"
            " when 'array' then data -> 'results' else '[]' end) r where n > %s",
            (first,),
        ).fetchone()
    assert row is not None, "an aggregate has a row"
    return row[0]


def sealed(stack: Stack, marker: str) -> int:
    """How many payloads the log has; Failed when one is open, or what was sent can be read."""
    total = 0
    with stack.connect("executor") as connection:
        for name in SEALED:
            row = connection.execute(
                "select count(*), count(*) filter (where data ->> %(name)s not like 'v1.%%')"
                " from log where data ->> %(name)s is not null",
                {"name": name},
            ).fetchone()
            assert row is not None, "an aggregate has a row"
            if row[1]:
                raise Failed(f"{row[1]} of {row[0]} payloads named {name} are not sealed")
            total += row[0]
        shown = connection.execute(
            "select count(*) from log where position(%s in data::text) > 0", (marker,)
        ).fetchone()
    if shown != (0,):
        raise Failed("what was sent can be read in the log")
    if total == 0:
        raise Failed("the log has no payloads: nothing was measured")
    return total
