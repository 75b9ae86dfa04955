"""The one function that writes the log: several appenders, aborts, kills, conflicts, stops."""

import asyncio
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import errors
from tests_support.appender import append, decisions, event
from tests_support.ledger import Place
from tests_support.writers import check_log, writers

from libs.common.eventstore import EventStore
from libs.common.testing import eventually

PATIENCE = "-c lock_timeout=3s -c statement_timeout=15s"


@pytest.fixture
def conninfo(store: EventStore) -> str:
    return store.database.conninfo("system")


@pytest.fixture
def log(conninfo: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        yield connection


async def _read_along(store: EventStore, until: asyncio.Event) -> list[tuple[int, str]]:
    """What a reader that goes by number sees while others write."""
    seen: list[tuple[int, str]] = []
    while True:
        last = until.is_set()
        events, _, _ = await store.page(len(seen), 500)
        for found in events:
            assert found.sequence == len(seen) + 1, "the reader met a gap"
            seen.append((found.sequence, found.id))
        if last and not events:
            return seen


async def _appending(log: psycopg.Connection[Any]) -> int:
    row = log.execute(
        "select count(*) from pg_stat_activity where pid <> pg_backend_pid()"
        " and state <> 'idle' and position('append' in query) > 0"
    ).fetchone()
    return row[0] if row else 0


async def test_numbers_have_no_gap_with_four_appenders_aborts_and_kills(
    store: EventStore, conninfo: str, log: psycopg.Connection[Any]
) -> None:
    done = asyncio.Event()
    reading = asyncio.create_task(_read_along(store, done))
    with writers(conninfo, 4) as made:
        for writer in made[2:]:
            await asyncio.to_thread(writer.wait_for, 40)
            writer.kill()
        for writer in made[:2]:
            await asyncio.to_thread(writer.wait_for, 300)
            assert writer.process.poll() is None, writer.failed_with()
    # What a killed process had sent is carried on by the server for a moment.
    await eventually(lambda: _appending(log), lambda count: count == 0)
    done.set()
    seen = await reading
    acknowledged = {i for writer in made for i in writer.acknowledged()}
    last = await asyncio.to_thread(check_log, log, acknowledged)
    assert last >= 680
    assert [n for n, _ in seen] == list(range(1, last + 1))
    assert acknowledged <= {i for _, i in seen}


def test_a_zombies_event_in_the_way_of_one_of_100_decisions_refuses_that_one_alone(
    log: psycopg.Connection[Any],
) -> None:
    streams = [f"ledger-org_1-{i:03}" for i in range(100)]
    assert append(log, [event(s, 1) for s in streams]) == set(streams)
    zombie = event(streams[42], 2)
    assert append(log, [zombie]) == {streams[42]}
    batch = [event(s, v) for s in streams for v in (2, 3)]
    assert append(log, batch) == set(streams) - {streams[42]}
    versions = dict(log.execute("select stream, max(version) from log group by 1").fetchall())
    assert versions == dict.fromkeys(streams, 3) | {streams[42]: 2}
    check_log(log, {zombie["id"], *(e["id"] for e in batch if e["stream"] != streams[42])})


def test_a_decision_that_leaves_out_a_version_is_refused(log: psycopg.Connection[Any]) -> None:
    assert append(log, [event("ledger-org_1-a", 2)]) == set()
    assert append(log, [event("ledger-org_1-a", 1)]) == {"ledger-org_1-a"}
    assert append(log, [event("ledger-org_1-a", 1)]) == set()
    check_log(log, set())


def test_batches_that_meet_on_two_streams_in_opposite_order_do_not_deadlock(
    conninfo: str, log: psycopg.Connection[Any]
) -> None:
    names = ["ledger-org_1-a", "ledger-org_1-b"]
    start = threading.Barrier(2)

    def work(order: list[str]) -> int:
        dice, events = random.Random(1), 0
        with psycopg.connect(conninfo, autocommit=True, options=PATIENCE) as own:
            start.wait()
            for _ in range(100):
                batch = decisions(own, order, dice)
                won = append(own, batch)
                events += sum(e["stream"] in won for e in batch)
        return events

    with ThreadPoolExecutor(2) as pool:
        written = sum(pool.map(work, (names, names[::-1])))
    assert check_log(log, set()) == written


def test_a_stopped_appender_does_not_stop_the_others(
    conninfo: str, log: psycopg.Connection[Any]
) -> None:
    with writers(conninfo, 1, streams=1, share=0) as (writer,):
        writer.wait_for(10)
        for i in range(10):
            writer.process.send_signal(signal.SIGSTOP)
            with psycopg.connect(conninfo, autocommit=True, options=PATIENCE) as own:
                for version in range(1, 11):
                    stream = f"ledger-org_1-own{i}"
                    assert append(own, [event(stream, version)]) == {stream}
            writer.process.send_signal(signal.SIGCONT)
            writer.wait_for(len(writer.acknowledged()) + 2)
    check_log(log, set(writer.acknowledged()))


def test_who_waits_for_an_open_transaction_of_another_appender_comes_after_it(
    conninfo: str, log: psycopg.Connection[Any]
) -> None:
    """An inbox appends last in its transaction; the next number is not given before its commit."""
    with psycopg.connect(conninfo) as first, ThreadPoolExecutor(1) as pool:
        append(first, [event("ledger-org_1-a", 1)])
        waiting = pool.submit(append, log, [event("ledger-org_1-b", 1)])
        with psycopg.connect(conninfo, autocommit=True) as other:
            deadline = time.monotonic() + 10
            while not _waits_for_a_lock(other):
                assert time.monotonic() < deadline
                assert not waiting.done()
            assert other.execute("select count(*) from log").fetchone() == (0,)
        first.commit()
        assert waiting.result(10) == {"ledger-org_1-b"}
    assert check_log(log, set()) == 2


def test_a_transaction_that_stands_still_before_its_commit_is_ended_by_the_server(
    conninfo: str, log: psycopg.Connection[Any]
) -> None:
    short = "-c idle_in_transaction_session_timeout=500ms"
    with psycopg.connect(conninfo, options=short) as stuck:
        append(stuck, [event("ledger-org_1-a", 1)])
        assert append(log, [event("ledger-org_1-a", 1)]) == {"ledger-org_1-a"}
        with pytest.raises(psycopg.Error):
            stuck.execute("select 1")
    assert check_log(log, set()) == 1
    assert "idle_in_transaction_session_timeout=" in conninfo


def _waits_for_a_lock(connection: psycopg.Connection[Any]) -> bool:
    return connection.execute(
        "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
        " and datname = current_database()"
    ).fetchone() is not None  # fmt: skip


def test_a_stream_of_another_organization_is_refused_with_the_whole_statement(
    log: psycopg.Connection[Any],
) -> None:
    for stream in ("ledger-org_2-a", "ledger-org_1", "ledger", "ledger--org_1"):
        wrong = event(stream, 1) | {"org": "org_1" if stream != "ledger-org_1" else "org_"}
        with pytest.raises(errors.CheckViolation):
            append(log, [event("ledger-org_1-a", 1), wrong])
    assert check_log(log, set()) == 0


def test_one_statement_may_write_for_many_organizations(log: psycopg.Connection[Any]) -> None:
    batch = [event(f"ledger-org_{i}-a", 1, org=f"org_{i}") for i in range(5)]
    assert len(append(log, batch)) == 5


def test_the_log_can_be_neither_changed_nor_written_past_the_function(
    log: psycopg.Connection[Any], place: Place
) -> None:
    append(log, [event("ledger-org_1-a", 1)])
    for forbidden in (
        "insert into log select * from log", "update log set version = 5", "delete from log",
        "truncate log", "update heads set n = 0", "delete from heads",
        "insert into commands (org, id, digest, stream, first, last)"
        " values ('o', gen_random_uuid(), '', 's', 1, 1)",
        "set role ledger_append", "set role ledger_owner", "drop function append",
        "alter table log disable row level security",
    ):  # fmt: skip
        with pytest.raises(errors.InsufficientPrivilege):
            log.execute(forbidden.encode())
    assert place.sql("ledger", "select count(*), max(version) from log") == [(1, 1)]
