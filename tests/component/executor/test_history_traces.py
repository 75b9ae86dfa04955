"""What is left on the disks of an execution whose days are over: nothing that a query, a reader of
the bus or a restored server could reach."""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests_support import disk
from tests_support.blocks import HEAD, step
from tests_support.histories import Aging, aging
from tests_support.servers import Servers, nats_users

from libs.common.eventstore import stream_of
from libs.common.testing import eventually
from libs.embedded.testing import temporary_nats, temporary_postgres
from services.executor.work import SUBJECT
from tests.fakes.receiver import Answer

SEALED = re.compile(r"v1\.[\w-]+\.[\w-]+\.[\w-]+")
DIGESTS = ("idempotency_digest", "body_digest", "concurrency_key")
TEXT = f"""
labels: {{team: LABEL}}
concurrency: {{key: "${{{{ input.key }}}}", limit: 5}}
steps:
  - {{id: kept, set: {{secret: "${{{{ input.secret }}}}"}}}}
  - {step("bad", "/refused")}
"""
SEGMENTS = 40  # more than the server keeps for later


@dataclass
class Disks:
    """Servers of this test alone, and where they keep what they have."""

    servers: Servers
    postgres: Path
    nats: Path


@dataclass
class Marks:
    """What the execution processed: in clear, and the texts that stand for it in the log."""

    secret: str = field(default_factory=lambda: f"secret-{secrets.token_hex(8)}")
    key: str = field(default_factory=lambda: f"key-{secrets.token_hex(8)}")
    label: str = field(default_factory=lambda: f"label-{secrets.token_hex(8)}")
    error: str = field(default_factory=lambda: f"error-{secrets.token_hex(8)}")
    sealed: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)

    @property
    def clear(self) -> list[str]:
        return [self.secret, self.key, self.error]

    @property
    def all(self) -> list[str]:
        """But the label, which the workflow that was published has too."""
        return [*self.clear, *self.sealed, *self.digests]

    @property
    def bytes(self) -> list[bytes]:
        return [one.encode() for one in self.all]


@pytest.fixture
def disks() -> Iterator[Disks]:
    with temporary_postgres(fast=False) as postgres, temporary_nats(nats_users()) as nats:
        servers = Servers(postgres.dsn(), f"nats://127.0.0.1:{nats.port}", "own")
        yield Disks(servers, postgres.data_dir, nats.data_dir / "store")


async def failed(old: Aging, marks: Marks) -> str:
    """An execution that has all marks, and what the log and the queue say of them."""
    old.world.reply = lambda seen: Answer(400, body=marks.error.encode())
    queued: list[str] = []

    async def seen(message: Any) -> None:
        queued.extend(SEALED.findall(message.data.decode(errors="replace")))

    watching = await old.bed.bus.nc.subscribe(SUBJECT, cb=seen)
    text = HEAD.format(name="marked") + TEXT.replace("LABEL", marks.label)
    await old.bed.publish(text.replace("PORT", str(old.world.receiver.port)))
    body = {"secret": marks.secret, "key": marks.key}
    said = await old.bed.call("marked", body, key=marks.key)
    await old.ended_at(said.execution)
    await watching.unsubscribe()
    stream = stream_of("execution", old.bed.org, said.execution)
    events = await old.bed.executors[-1].store.load(stream)
    marks.sealed = [*queued, *(s for e in events for s in SEALED.findall(bytes(e.data).decode()))]
    marks.digests = [events[0].json()[name] for name in DIGESTS]
    return said.execution


async def aged_out(old: Aging) -> None:
    """As after three days: what is on the bus has reached its age."""
    js = old.bed.bus.js
    info = await js.stream_info("EXECUTOR")
    config = info.config
    config.max_age = config.duplicate_window = 1.0
    await js.update_stream(config)

    async def left() -> int:
        return (await js.stream_info("EXECUTOR")).state.messages

    await eventually(left, lambda messages: messages == 0)


def cleaned(old: Aging, *, checkpoints: bool = True) -> int:
    """What autovacuum and the checkpointer do in time; the database's number."""
    with old.admin() as admin:
        admin.execute("vacuum")
        for _ in range(SEGMENTS if checkpoints else 0):
            admin.execute("select pg_switch_wal()")
            admin.execute("select pg_logical_emit_message(true, 'on', 'and on')")
            admin.execute("checkpoint")
        admin.execute("checkpoint")
        row = admin.execute("select oid from pg_database where datname = current_database()")
        return int((row.fetchone() or (0,))[0])


async def test_no_table_index_stream_or_segment_holds_a_trace(disks: Disks) -> None:
    async with aging(disks.servers) as old:
        await old.plan("free")
        marks = Marks()
        execution = await failed(old, marks)
        await old.seen()
        assert len(marks.sealed) >= 4, "payload, result, error and the start on the queue"
        assert old.holding(*marks.sealed), "what is looked for is there before"
        assert sorted(old.holding(*marks.digests)) == ["executions", "log"]
        labelled = old.holding(marks.label)
        assert {"execution_labels", "executions", "log"} < labelled.keys()
        assert old.holding(*marks.clear) == {}, "what was processed is never there in clear"
        cleaned(old, checkpoints=False)
        assert disk.with_any(disks.postgres / "pg_wal", marks.bytes), "the search finds something"
        assert disk.with_any(disks.nats, marks.bytes)

        late = await old.ended_at(execution) + timedelta(days=8)
        assert await old.sweep(late) > 0
        await aged_out(old)
        database = cleaned(old)

        assert old.holding(*marks.all, execution) == {}
        assert old.holding(marks.label) == {"arrivals": labelled["arrivals"]}, "the workflow's own"
        in_tuples, in_space = disk.held(disks.postgres, database, marks.bytes)
        in_clear = [one.encode() for one in marks.clear]
        print(
            "SPACE",
            in_space,
            "WAL",
            disk.with_any(disks.postgres / "pg_wal", marks.bytes),
            "NATS",
            disk.with_any(disks.nats, marks.bytes),
        )
        assert in_tuples == set()
        assert in_space, "a page that is not used anew keeps the sealed text in its free space"
        assert disk.with_any(disks.postgres / "base" / str(database), in_clear) == []
        assert disk.with_any(disks.postgres / "pg_wal", marks.bytes) == []
        assert disk.with_any(disks.nats, marks.bytes) == []
