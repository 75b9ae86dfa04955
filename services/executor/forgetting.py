"""Forgetting executions: hidden at once, out of the log when nothing needs their events.

They leave it a day after their start, when no repeated call can come any more, and only up to the
number that audit, the relay and the executor's own views have taken.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

import nats.errors
from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import LOST
from libs.common.errors import DomainError, NotFound
from libs.common.eventstore import stream_of
from libs.common.messages import Meta, Recorded
from services.audit.contract import FindTaken, TakenShown
from services.executor.contract import SERVICE, ExecutionNotEnded, ExecutionStarted
from services.executor.summary import summary_of
from services.executor.tables import forgotten, replies, snapshots

if TYPE_CHECKING:
    from services.executor.engine import Engine

log = logging.getLogger(__name__)
AFTER_DAYS = 1
SPARE = "1 hour"  # the ids of commands are kept a day and an hour
BATCH = 10  # the log takes nothing in while they leave, so few at a time
KINDS = ("execution", "late")


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


async def hide(db: AsyncConnection, execution: str, first: Recorded) -> None:
    """From the commit on nobody sees it. Raises NotFound when somebody else was first."""
    row = {"execution": execution, "org": first.organization, "started_at": first.time}
    made = await db.execute(insert(forgotten).values(row).on_conflict_do_nothing())
    if not made.rowcount:
        raise NotFound()
    for table in (snapshots, replies):
        await db.execute(delete(table).where(table.c.execution == execution))


async def run(engine: "Engine") -> None:
    """For ever, in the leading process."""
    while True:
        try:
            while await expire(engine) == BATCH:
                pass
        except (DomainError, nats.errors.Error, *LOST) as error:
            log.warning("forgetting waits", extra={"cause": type(error).__name__})
        await asyncio.sleep(engine.settings.forget_look_s)


async def expire(engine: "Engine") -> int:
    """Takes a batch of streams out of the log; how many executions are gone."""
    service, t = engine.service, forgotten.c
    old = t.started_at < func.now() - text(f"interval '{AFTER_DAYS} days {SPARE}'")
    async with service.database.work() as db:
        due = (await db.execute(
            select(t.execution, t.org).where(old).order_by(t.started_at).limit(BATCH)
        )).all()  # fmt: skip
    if not due:
        return 0
    streams = {
        stream_of(kind, row.org, row.execution): row.execution for row in due for kind in KINDS
    }
    upto = await _taken(engine)
    async with service.database.work() as db:
        gone = (await db.execute(
            text("select expire_streams(cast(:names as text[]), :upto)"),
            {"names": list(streams), "upto": upto},
        )).scalar_one()  # fmt: skip
        kept = {streams[name] for name in streams.keys() - set(gone)}
        names = [row.execution for row in due if row.execution not in kept]
        await db.execute(delete(forgotten).where(t.execution.in_(names)))
    log.info("executions left the log", extra={"count": len(names)})
    return len(names)


async def _taken(engine: "Engine") -> int:
    """The number up to which everybody has everything."""
    service = engine.service
    answered = await service.bus.ask(FindTaken(producer=SERVICE), Meta.system(SERVICE))
    taken = answered.as_a(TakenShown)
    _, _, incarnation = await service.store.page(taken.upto, 1)
    if taken.incarnation != incarnation:
        return 0
    own = [reader.n for reader in service.readers if reader.producer == SERVICE]
    relayed = service.relay.published if service.relay is not None else 0
    return min([taken.upto, relayed, *own])
