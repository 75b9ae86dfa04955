"""Forgetting executions: hidden at once, out of the log when nothing needs their events.

Those that somebody forgets leave it a day after their start, when no repeated call can come any
more; those whose days are over (history.py) at once.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import Database
from libs.common.eventstore import stream_of
from libs.common.leaving import take_out
from libs.common.messages import Meta, Recorded
from libs.common.sweeping import Sweep
from services.executor import leaving, views
from services.executor.contract import ExecutionNotEnded, ExecutionStarted
from services.executor.summary import summary_of
from services.executor.tables import forgotten, replies, snapshots

if TYPE_CHECKING:
    from services.executor.engine import Engine

log = logging.getLogger(__name__)
AFTER_DAYS = 1
AFTER = timedelta(days=AFTER_DAYS, hours=1)  # as long as the ids of commands are kept
AT_ONCE = 100
CALLS = text("""
select stream, data #>> '{trigger,call_id}' as call from log
where stream = any(:names) and version = 1
""")
t = forgotten.c


@dataclass(frozen=True, slots=True)
class Hidden:
    """An execution that is not shown any more; from `leaves_at` on it may leave the log."""

    execution: str
    started_at: datetime
    leaves_at: datetime


async def must_have_ended(engine: "Engine", meta: Meta, events: list[Recorded]) -> ExecutionStarted:
    """The start of one that nothing needs any more; else raises ExecutionNotEnded.

    What another execution started and waits for is needed until that one has ended.
    """
    summary, started = summary_of(events), events[0].event()
    assert isinstance(started, ExecutionStarted), "every execution begins so"
    if summary is None or summary.outcome is None:
        raise ExecutionNotEnded("it has not ended")
    if started.parent is not None and started.parent.awaited:
        stream = stream_of("execution", meta.organization, started.parent.execution_id)
        parent = summary_of(await engine.store.load(stream))
        if parent is not None and parent.outcome is None:
            raise ExecutionNotEnded("the execution that started it waits for it")
    return started


async def hide(db: AsyncConnection, org: str, rows: Sequence[Hidden]) -> list[str]:
    """From the commit on nobody sees them; those that nobody had hidden before."""
    values = [
        {"execution": one.execution, "org": org, "started_at": one.started_at,
         "leaves_at": one.leaves_at}
        for one in rows
    ]  # fmt: skip
    made = (
        insert(forgotten).values(values).on_conflict_do_nothing().returning(forgotten.c.execution)
    )
    hidden = list((await db.execute(made)).scalars())
    for table in (snapshots, replies):
        await db.execute(delete(table).where(table.c.execution.in_(hidden)))
    return hidden


def sweep(engine: "Engine") -> Sweep:
    async def run(_: Database, at: datetime) -> int:
        return await expire(engine, at)

    async def overdue(database: Database, at: datetime) -> datetime | None:
        async with database.work() as db:
            first: datetime | None = (await db.execute(select(func.min(t.leaves_at)))).scalar()
        return None if first is None or first >= at else first

    return Sweep("forgotten", run, overdue)


async def expire(engine: "Engine", at: datetime) -> int:
    """Takes a bite of hidden executions out of the log; how many events and executions went."""
    database = engine.service.database
    async with database.work() as db:
        due = (await db.execute(
            select(t.execution, t.org).where(t.leaves_at < at).order_by(t.leaves_at).limit(AT_ONCE)
        )).all()  # fmt: skip
        if not due:
            return 0
        groups = await _streams(db, due)
        fit = await leaving.fitting(db, groups)
    groups, due = groups[:fit], due[:fit]
    upto = await leaving.taken(engine.service)
    async with database.work() as db:
        await views.forget(db, [row.execution for row in due])  # if a view knew one still
    left = await take_out(engine.service, [name for group in groups for name in group], upto)
    names = [
        row.execution
        for row, group in zip(due, groups, strict=True)
        if left.streams.issuperset(group)
    ]
    async with database.work() as db:
        await db.execute(delete(forgotten).where(t.execution.in_(names)))
    log.info("executions left the log", extra={"count": len(names), "events": left.events})
    return len(names) + left.events


async def _streams(db: AsyncConnection, due: Sequence[Any]) -> list[list[str]]:
    """All that is of each execution; its own stream is the last, for it names the others."""
    first = {stream_of("execution", row.org, row.execution): row for row in due}
    found = await db.execute(CALLS, {"names": list(first)})
    called = {row.stream: stream_of("call", first[row.stream].org, row.call) for row in found}
    return [
        [*filter(None, [called.get(name)]), stream_of("late", row.org, row.execution), name]
        for name, row in first.items()
    ]
