"""Execution history by plan: what ended longer ago than the plan keeps is hidden, and leaves.

An execution leaves whole and late rather than early: never while it runs or is reversed, nor while
the execution that started it has not left (its rollback may need it, its page names it), nor while
a replay of it runs. In the moment in which it is hidden no list, page or replay knows it any more;
its events leave the log by the next bite of `forgetting.py`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from libs.common.database import Database
from libs.common.eventstore import rows, stream_of
from libs.common.messages import Meta
from libs.common.sweeping import Sweep
from services.executor import forgetting, plans, views
from services.executor.contract import SERVICE, HistoryExpired, What
from services.executor.plans import by_plan

if TYPE_CHECKING:
    from services.executor.engine import Engine

RULE = "executions"
BITE = 200
# Of the view, which may be incomplete while it is rebuilt; whether somebody needs it says the log,
# and `timers`, which has a row for each that is live.
OVER = """
e.org = o.org and e.started_at < o.before and e.ended_at < o.before
and not exists (select 1 from timers t where t.execution = e.execution)
and (e.parent is null or not exists
  (select 1 from log l where l.stream = 'execution-' || e.org || '-' || e.parent))
and e.execution not in (select coalesce(r.replays, '') from replayed r)
"""
# Executions of which a replay is live.
REPLAYED = """
, replayed as materialized (
  select l.data #>> '{replays,execution_id}' as replays from timers t
  join executions x on x.execution = t.execution and x.mode = 'replay'
  join log l on l.stream = 'execution-' || t.org || '-' || t.execution and l.version = 1)
"""
FOUND = by_plan("executions", "true", f"""{REPLAYED}
select o.org, o.days, d.execution, d.started_at, d.ended_at,
  d.ended_at + o.days * interval '24 hours' as over_at from o cross join lateral (
  select e.execution, e.started_at, e.ended_at from executions e
  where {OVER} order by e.started_at limit :bite) d
limit :bite""")  # fmt: skip
OLDEST = by_plan("executions", "true", f"""{REPLAYED}
select min(d.ended_at + o.days * interval '24 hours') from o cross join lateral (
  select min(e.ended_at) as ended_at from executions e where {OVER}) d""")  # fmt: skip


def sweep(engine: "Engine") -> Sweep:
    async def run(database: Database, at: datetime) -> int:
        if not await plans.over(engine, database, FOUND, at):
            return 0
        return await hide_over(engine, database, at)

    async def overdue(database: Database, at: datetime) -> datetime | None:
        async with database.work() as db:
            return (await db.execute(OLDEST, {"at": at})).scalar()

    return Sweep(RULE, run, overdue)


async def hide_over(engine: "Engine", database: Database, at: datetime) -> int:
    """Says which bite of one organization's executions is over, and hides it."""
    async with database.work() as db:
        found = (await db.execute(FOUND, {"at": at, "bite": BITE})).all()
    mine = [row for row in found if row.org == found[0].org]
    if not mine:
        return 0
    org, ends = mine[0].org, [row.ended_at for row in mine]
    await say(engine, org, mine[0].execution, "executions", mine[0].days, ends)
    over = [forgetting.Hidden(row.execution, row.started_at, row.over_at) for row in mine]
    async with database.work() as db:
        await forgetting.hide(db, org, over)
        await views.forget(db, [row.execution for row in mine])
    return len(mine)


async def say(
    engine: "Engine", org: str, first: str, what: What, days: int, moments: Sequence[datetime]
) -> None:
    """Once for what leaves with `first`, also when a process died before it left.

    By itself, so that nobody who appends waits for more than this.
    """
    fact = HistoryExpired(
        what=what, history_days=days, count=len(moments), first_at=min(moments),
        last_at=max(moments),
    )  # fmt: skip
    stream = stream_of("history", org, first)
    await engine.store.append_each(rows(stream, 1, [fact], Meta.system(SERVICE, org)))
