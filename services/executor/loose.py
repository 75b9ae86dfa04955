"""What belongs to no execution leaves by plan as well: calls that began nothing, customers' own
events, results that came when their execution had left, and copies of events about executions.

None of it is hidden first: streams leave, and then their rows.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import TextClause, text

from libs.common.database import Database
from libs.common.leaving import take_out
from libs.common.sweeping import Sweep
from services.executor import leaving, plans
from services.executor.contract import (
    CustomEventEmitted,
    LateResultRefused,
    What,
)
from services.executor.history import RULE, say
from services.executor.plans import by_plan

if TYPE_CHECKING:
    from services.executor.engine import Engine

BITE = 200
UNMATCHED_DAYS = 7  # at most: nobody's workflow was meant

# Of an organization `o`: what leaves, the key of its row, its moment, the days that it was kept.
CALLS = f"""
select 'call-' || c.org || '-' || c.call as stream, c.call as key, c.called_at as at,
  case when c.outcome = 'unmatched' then least(o.days, {UNMATCHED_DAYS}) else o.days end as days
from calls c
where c.org = o.org and c.outcome <> 'started'
  and c.called_at < greatest(o.before, cast(:at as timestamptz) - interval '{UNMATCHED_DAYS} days')
  and (c.outcome = 'unmatched' or c.called_at < o.before)
order by c.called_at"""
DROP_CALLS = text("delete from calls where call = any(:keys)")
LOOSE = f"type in ('{CustomEventEmitted.type}', '{LateResultRefused.type}')"  # migration 0005
# An event that a wait may still look back to stays, whoever paused that execution for weeks.
NEEDED = """
exists (select 1 from listeners w where w.org = a.org and w.kind = 'wait'
  and w.since <= a.at + interval '60 s' and (w.type = a.type
    or right(w.type, 1) = '*' and starts_with(a.type, left(w.type, -1))))"""
EVENTS = f"""
select l.stream, split_part(l.stream, '-', 3) as key, l.at, o.days from log l
where l.org = o.org and l.at < o.before and l.{LOOSE} and (
  l.type = '{CustomEventEmitted.type}' and not exists (select 1 from arrivals a
    where a.id = split_part(l.stream, '-', 3) and (a.fresh_at is not null or {NEEDED}))
  or l.type = '{LateResultRefused.type}' and not exists (select 1 from log x
    where x.stream = 'execution-' || l.org || '-' || split_part(l.stream, '-', 3)))
order by l.at"""
# What the own log said of an execution, kept because somebody listened; or of what has left.
COPIES = f"""
select a.id, a.arrived_at as at from arrivals a
where a.org = o.org and a.arrived_at < o.before and a.fresh_at is null and not {NEEDED} and (
  a.stream is null and starts_with(a.type, 'executor.')
  or a.stream is not null and not exists (select 1 from log l where l.stream = a.stream))
order by a.arrived_at"""
DROP_EVENTS = text("delete from arrivals where id = any(:keys)")


@dataclass(frozen=True, slots=True)
class Kind:
    """`found` and `oldest` are over all organizations; `drop` deletes rows by their keys."""

    what: What
    found: TextClause
    oldest: TextClause
    drop: TextClause


def _kind(what: What, table: str, where: str, rows: str, drop: TextClause) -> Kind:
    def each(chosen: str) -> str:
        return f"from o cross join lateral ({rows} limit {chosen}) d"

    found = by_plan(table, where, f"select o.org, d.* {each(':bite')} limit :bite")
    late = "select min(d.at + d.days * interval '24 hours')"
    return Kind(what, found, by_plan(table, where, f"{late} {each('1')}"), drop)


KINDS = (
    _kind("calls", "calls", "t.outcome <> 'started'", CALLS, DROP_CALLS),
    _kind("events", "log", f"t.{LOOSE}", EVENTS, DROP_EVENTS),
)


EACH_COPY = f"select d.id from o cross join lateral ({COPIES} limit :bite) d limit :bite"
FOUND_COPIES = by_plan("arrivals", "true", EACH_COPY)
DROP_COPIES = by_plan("arrivals", "true", f"delete from arrivals where id in ({EACH_COPY})")
OLDEST_COPY = by_plan(
    "arrivals",
    "true",
    f"""
select min(d.at + o.days * interval '24 hours')
from o cross join lateral ({COPIES} limit 1) d""",
)


def sweeps(engine: "Engine") -> list[Sweep]:
    return [*(_sweep(engine, kind) for kind in KINDS), _copies(engine)]


def _copies(engine: "Engine") -> Sweep:
    async def run(database: Database, at: datetime) -> int:
        if not await plans.over(engine, database, FOUND_COPIES, at):
            return 0
        async with database.work() as db:
            return (await db.execute(DROP_COPIES, {"at": at, "bite": BITE})).rowcount

    async def overdue(database: Database, at: datetime) -> datetime | None:
        async with database.work() as db:
            return (await db.execute(OLDEST_COPY, {"at": at})).scalar()

    return Sweep(RULE, run, overdue)


def _sweep(engine: "Engine", kind: Kind) -> Sweep:
    async def run(database: Database, at: datetime) -> int:
        if not await plans.over(engine, database, kind.found, at):
            return 0
        return await leave(engine, database, kind, at)

    async def overdue(database: Database, at: datetime) -> datetime | None:
        async with database.work() as db:
            return (await db.execute(kind.oldest, {"at": at})).scalar()

    return Sweep(RULE, run, overdue)


async def leave(engine: "Engine", database: Database, kind: Kind, at: datetime) -> int:
    """A bite of one organization's; what somebody lacks a number of stays for now."""
    async with database.work() as db:
        found = (await db.execute(kind.found, {"at": at, "bite": BITE})).all()
        mine = [row for row in found if row.org == found[0].org]
        if not mine:
            return 0
        mine = mine[: await leaving.fitting(db, [[row.stream] for row in mine])]
    upto = await leaving.taken(engine.service)
    left = await take_out(engine.service, [row.stream for row in mine], upto)
    if not (gone := [row for row in mine if row.stream in left.streams]):
        return 0
    moments = [row.at for row in gone]
    await say(engine, gone[0].org, gone[0].key, kind.what, gone[0].days, moments)
    async with database.work() as db:
        await db.execute(kind.drop, {"keys": [row.key for row in gone]})
    return len(gone)
