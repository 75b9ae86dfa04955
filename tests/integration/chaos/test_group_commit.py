"""The committer on a real database: a zombie among 100 decisions, an answer that got lost."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from tests_support.proxy import proxy_to
from tests_support.servers import Servers

from libs.common.database import Database
from libs.common.eventstore import EventStore, rows, stream_of
from libs.common.messages import Event, Meta
from libs.common.settings import Settings
from libs.common.tasks import end
from libs.common.testing import PASSWORD, prepare
from services.executor.app import SCHEMA
from services.executor.commit import Committed, Committer, Decision
from services.executor.contract import CancelRequested, WaitEnded
from services.executor.leases import Claimed, Leases

ORG, OWNER, ZOMBIE = "org_1", "here:1", "elsewhere:2"
META = Meta(organization=ORG, actor="system:test")
COMMITTED = "wait-ended"
MANY = [f"exe_{i:03}" for i in range(100)]


def happened() -> list[Event]:
    """Two events; for the log they are as good as any."""
    ended = WaitEnded(path="pause", reason="due")
    return [ended, CancelRequested(rollback=False, reason=None)]


def decision(execution: str, first: int, op: str = "keep", **more: Any) -> Decision:
    stream = stream_of("execution", ORG, execution)
    return Decision(
        stream, execution, ORG, rows(stream, first, happened(), META), op, lease_s=6.0, **more
    )


@dataclass
class Log:
    """A database of the executor with a committer that runs."""

    committer: Committer
    store: EventStore
    admin: str

    async def commit_all(self, decisions: list[Decision]) -> list[Committed]:
        return await asyncio.gather(*(self.committer.commit(d) for d in decisions))

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.admin) as connection:
            return connection.execute(sql.encode()).fetchall()

    def versions(self) -> dict[str, list[int]]:
        found = self.ask("select stream, array_agg(version order by n) from log group by 1")
        return {stream.rpartition("-")[2]: versions for stream, versions in found}


async def open_log(settings: Settings, admin_url: str, url: str | None = None) -> Log:
    prefix = settings.database_prefix
    database = Database(url or settings.database_url, "executor", PASSWORD, PASSWORD, prefix)
    await database.open()
    admin = make_conninfo(admin_url, dbname=f"{prefix}executor")
    return Log(Committer(database, OWNER), EventStore(database), admin)


@pytest.fixture
def settings(servers: Servers) -> Settings:
    return prepare(servers.admin_url, [SCHEMA], servers.nats_url, servers.prefix())


@pytest.fixture
async def log(servers: Servers, settings: Settings) -> AsyncIterator[Log]:
    opened = await open_log(settings, servers.admin_url)
    running = asyncio.create_task(opened.committer.run())
    yield opened
    await end([running])
    await opened.store.database.close()


async def _zombie(log: Log, execution: str, version: int) -> None:
    """Another process writes the next event of one execution."""
    other = Committer(log.store.database, ZOMBIE)
    running = asyncio.create_task(other.run())
    one = decision(execution, version)
    one.rows = one.rows[:1]
    assert (await other.commit(one)).status == "won"
    await end([running])


async def test_a_zombies_event_in_the_way_of_one_of_100_decisions_refuses_that_one_whole(
    log: Log,
) -> None:
    assert {c.status for c in await log.commit_all([decision(e, 1) for e in MANY])} == {"won"}
    await _zombie(log, MANY[42], 3)
    sent: list[int] = []
    send = log.committer._send

    async def counted(decisions: list[Decision], repeated: bool) -> list[Committed]:
        sent.append(len(decisions))
        return await send(decisions, repeated)

    log.committer._send = counted  # pyright: ignore[reportAttributeAccessIssue] - to look at it

    answers = await log.commit_all([decision(e, 3, due_s=60.0) for e in MANY])

    assert sent == [100], "one commit carried all of them"
    lost = [e for e, c in zip(MANY, answers, strict=True) if c.status == "lost"]
    won = [e for e, c in zip(MANY, answers, strict=True) if c.status == "won"]
    assert (lost, len(won)) == ([MANY[42]], 99)
    versions = log.versions()
    assert versions.pop(MANY[42]) == [1, 2, 3]
    assert versions == {e: [1, 2, 3, 4] for e in won}
    late = log.ask("select execution, owner from timers where due_at < now() + interval '30 s'")
    assert late == [(MANY[42], ZOMBIE)], "of the one that lost, the timer is not written either"
    numbers = [n for (n,) in log.ask("select n from log order by n")]
    assert numbers == list(range(1, 2 * 100 + 1 + 2 * 99 + 1))


async def test_who_lost_decides_again_behind_the_zombie_and_wins(log: Log) -> None:
    await log.commit_all([decision("exe_a", 1)])
    await _zombie(log, "exe_a", 3)
    assert (await log.committer.commit(decision("exe_a", 3))).status == "lost"

    again = await log.committer.commit(decision("exe_a", 4, op="end"))

    assert again.status == "won"
    assert log.versions() == {"exe_a": [1, 2, 3, 4, 5]}
    assert log.ask("select * from timers") == []


async def test_a_lost_answer_of_a_commit_is_asked_for_again_and_recognised_as_ones_own(
    servers: Servers, settings: Settings
) -> None:
    async with proxy_to(servers.admin_url) as proxy:
        log = await open_log(settings, servers.admin_url, proxy.url)
        running = asyncio.create_task(log.committer.run())
        try:
            await log.commit_all([decision(e, 1) for e in MANY[:20]])
            await _zombie_beside(servers, settings, MANY[7])
            proxy.lose_answer_to(COMMITTED)
            answers = await log.commit_all([decision(e, 3) for e in MANY[:20]])
        finally:
            await end([running])
            await log.store.database.close()

    assert proxy.lost == 1
    lost = [e for e, c in zip(MANY[:20], answers, strict=True) if c.status != "won"]
    assert lost == [MANY[7]], "a repeated commit is told from a zombie's by its event ids"
    assert all(c.n > 0 for c in answers if c.status == "won")
    versions = log.versions()
    assert versions.pop(MANY[7]) == [1, 2, 3]
    assert versions == {e: [1, 2, 3, 4] for e in MANY[:20] if e != MANY[7]}


async def _zombie_beside(servers: Servers, settings: Settings, execution: str) -> None:
    beside = await open_log(settings, servers.admin_url)
    await _zombie(beside, execution, 3)
    await beside.store.database.close()


async def test_an_end_whose_answer_was_lost_leaves_no_timer_that_would_wake_it(
    servers: Servers, settings: Settings
) -> None:
    async with proxy_to(servers.admin_url) as proxy:
        log = await open_log(settings, servers.admin_url, proxy.url)
        running = asyncio.create_task(log.committer.run())
        try:
            assert (await log.committer.commit(decision("exe_a", 1))).status == "won"
            assert len(log.ask("select * from timers")) == 1
            proxy.lose_answer_to(COMMITTED)
            ended = await log.committer.commit(decision("exe_a", 3, op="end"))
        finally:
            await end([running])
            await log.store.database.close()

    assert (ended.status, proxy.lost) == ("won", 1)
    assert log.ask("select * from timers") == []
    assert log.versions() == {"exe_a": [1, 2, 3, 4]}


async def test_a_renewal_does_not_wait_for_rows_that_a_commit_has_in_hand(log: Log) -> None:
    await log.commit_all([decision(e, 1) for e in MANY[:3]])
    leases = Leases(log.store.database, OWNER, lambda: 0, _nobody)
    with psycopg.connect(log.admin) as commit:
        commit.execute("select 1 from timers where execution = 'exe_001' for update")
        async with asyncio.timeout(2):  # waiting would end with lock_timeout after three
            versions, _ = await leases.renew(MANY[:3])

    assert versions == {"exe_000": 2, "exe_002": 2}
    assert (await leases.renew(MANY[:3]))[0] == dict.fromkeys(MANY[:3], 2)


async def _nobody(claimed: list[Claimed]) -> None:
    raise AssertionError(f"nothing was to be claimed: {claimed}")
