"""While thousands of executions leave, nobody who appends waits for long."""

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import pytest
from tests_support.histories import Aging, aging
from tests_support.servers import Servers

from libs.common.eventstore import stream_of
from libs.common.ids import uuid7
from libs.common.testing import swept
from services.executor.contract import LateResultRefused

COUNT = int(os.environ.get("TROTH_TEST_LEAVING", "2000"))  # 20,000 take a minute
WRITERS, ROUNDS, ALONE_S = 2, 3, 2.0
WAIT_MAX_S = 0.1
# Three events and a call each; every fiftieth has a result of 60 kB, every thousandth 400 events.
FILL = """
with e as (
  select k, 'exe_' || md5(k::text) as execution, version, events
  from generate_series(1, %(count)s) k,
    lateral (select case when mod(k, 1000) = 0 then 400 else 3 end as events) v,
    generate_series(1, events) version),
data as (
  select e.*, case when version = 2 and mod(k, 50) = 0 then
      (select string_agg(md5(g::text || k), '') from generate_series(1, 1900) g)
    else repeat(md5(k::text), 20) end as sealed
  from e)
insert into log (n, id, org, stream, version, type, data_version, at, actor, data)
select (select n from heads) + row_number() over (order by k, version), gen_random_uuid(), %(org)s,
  'execution-' || %(org)s || '-' || execution, version,
  'executor.event.execution-progressed', 1, now() - interval '8 days', 'system',
  json_build_object('trigger', json_build_object('call_id', 'call_' || execution), 'input', sealed)
from data
"""
VIEW = """
insert into executions (execution, org, workflow, version, mode, trigger, labels, started_at,
  ended_at, outcome, waits, error_also, cancel_requested, paused, rolling_back, steps, effects)
select split_part(l.stream, '-', 3), l.org, 'wf_1', 1, 'live', l.data -> 'trigger',
  '{"team": "a"}', l.at, l.at, 'succeeded', '{}', '[]', false, false, false, 1, 0
from log l where l.version = 1;
insert into execution_labels select execution, 'team:a', org, started_at from executions;
insert into calls (call, org, kind, path, outcome, execution, errors, bytes, called_at)
select trigger ->> 'call_id', org, 'webhook', 'p', 'started', execution, '[]', 9, started_at
from executions;
update heads set n = (select max(n) from log);
insert into readers (name, version, incarnation, n) select r.name, r.version, 1, h.n
from heads h, (values ('lists', 4), ('relay', 1)) r(name, version)
on conflict (name) do update set incarnation = 1, n = excluded.n
"""
LEFT = """
select (select count(*) from executions), (select count(*) from execution_labels),
  (select count(*) from calls), (select count(*) from log where stream like 'execution-%')
"""
# Only who appends: the run waits for itself, as the leading process and this test both do it.
WAITING = """
select l.pid, extract(epoch from clock_timestamp() - l.waitstart)::float8
from pg_locks l join pg_stat_activity a using (pid)
where not l.granted and l.waitstart is not null and position('append(' in a.query) > 0
"""


@contextmanager
def watched(url: str) -> Iterator[list[float]]:
    """How long anybody was seen to wait for a lock, looked at all the time."""
    waits: list[float] = []
    over = threading.Event()

    def look() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not over.wait(0.002):
                waits.extend(s for _, s in connection.execute(WAITING))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield waits
    finally:
        over.set()
        thread.join()


def append(url: str, over: threading.Event, org: str, name: str) -> None:
    """One event after the other, to an execution of today."""
    stream, version = stream_of("late", org, name), 0
    with psycopg.connect(url, autocommit=True) as connection:
        while not over.is_set():
            version += 1
            row = {
                "id": str(uuid7()), "org": org, "stream": stream, "version": version,
                "type": LateResultRefused.type, "data_version": 1, "actor": "system:executor",
                "data": {"path": "a", "attempt": version, "lease": "lost"},
            }  # fmt: skip
            connection.execute("select append(0::smallint, %s::json)", (json.dumps([row]),))


@contextmanager
def appending(url: str, org: str) -> Iterator[None]:
    over = threading.Event()
    threads = [
        threading.Thread(target=append, args=(url, over, org, f"exe_today{n}"))
        for n in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


async def filled(old: Aging) -> None:
    database = f"{old.bed.settings.database_prefix}executor"
    with psycopg.connect(old.bed.servers.admin_url, dbname=database, autocommit=True) as admin:
        admin.execute(FILL.encode(), {"org": old.bed.org, "count": COUNT})
        admin.execute(VIEW.encode())
        admin.execute("vacuum analyze")  # as autovacuum does in eight days
    await old.bed.add_executor()


async def one_round(servers: Servers) -> tuple[float, float]:
    """The longest wait that was seen while nothing left, and while all of them did."""
    async with aging(servers, executors=0) as old:
        await filled(old)
        await old.plan("free")
        url = old.database.conninfo("system")
        with watched(url) as before, appending(url, old.bed.org):
            await asyncio.sleep(ALONE_S)
        with watched(url) as waits, appending(url, old.bed.org):
            await swept(old.database, old.sweeps, datetime.now(UTC))
        with old.admin() as admin:
            left = admin.execute(LEFT).fetchone()
        assert left == (0, 0, 0, 0), "all of them have left"
        assert waits, "somebody had to wait"
        return max(before), max(waits)


async def test_nobody_waits_long_for_a_lock_while_thousands_leave(servers: Servers) -> None:
    """Where other work stops the machine for a moment those who append wait for each other as
    long; then it is tried again."""
    seen: list[tuple[float, float]] = []
    while len(seen) < ROUNDS:
        alone, waited = await one_round(servers)
        seen.append((alone, waited))
        if waited < max(WAIT_MAX_S, 2 * alone):
            return
    pytest.fail(f"waits without and with the run, in seconds: {seen}")
