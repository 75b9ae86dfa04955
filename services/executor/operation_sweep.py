"""Forgets operations and their pieces when the days of their kind are over."""

from datetime import datetime

from sqlalchemy import ColumnElement, case, delete, func, literal, select, text, tuple_

from libs.common.database import Database
from libs.common.sweeping import BITE, Sweep
from services.executor.operation_tables import operations, pieces
from services.executor.operations import KEEP_DAYS, Operations

OPERATIONS_A_BITE = 10


def sweep(known: Operations) -> Sweep:
    """The log keeps what was asked for."""
    t = operations.c

    def over() -> ColumnElement[datetime]:
        ends = {kind.name: kind.keep_days for kind in known.kinds.values()}
        days = case(ends, value=t.kind, else_=KEEP_DAYS) if ends else literal(KEEP_DAYS)
        return t.ended_at + days * text("interval '1 day'")

    async def run(database: Database, at: datetime) -> int:
        async with database.work() as db:
            old = select(t.id).where(over() < at).limit(OPERATIONS_A_BITE)
            names = (await db.execute(old)).scalars().all()
            mine = pieces.c.operation.in_(names)
            some = select(pieces.c.operation, pieces.c.n).where(mine).limit(BITE)
            here = tuple_(pieces.c.operation, pieces.c.n).in_(some)
            gone = (await db.execute(delete(pieces).where(here))).rowcount
            if gone < BITE:
                gone += (await db.execute(delete(operations).where(t.id.in_(names)))).rowcount
            return gone

    async def overdue(database: Database, at: datetime) -> datetime | None:
        async with database.work() as db:
            return (await db.execute(select(func.min(over())).where(over() < at))).scalar()

    return Sweep("operations", run, overdue)
