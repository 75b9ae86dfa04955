"""Years of usage leave billing's log: whole streams, once audit and the relay have taken them."""

from datetime import datetime

from sqlalchemy import delete, func, select, tuple_

from libs.common.database import Database
from libs.common.leaving import agreed, take_out
from libs.common.messages import Meta
from libs.common.service import Service
from libs.common.sweeping import Sweep
from services.audit.contract import FindTaken, TakenShown
from services.billing.contract import SERVICE
from services.billing.domain import usage_stream
from services.billing.keeping import first_kept, over_at
from services.billing.views import counted

STREAMS = 20


def sweep(service: Service, years: int) -> Sweep:
    """Of the facts in the log; what the views made of them goes by `keeping`."""

    async def run(database: Database, at: datetime) -> int:
        over = counted.c.year < first_kept(at, years)
        async with database.work() as db:
            some = select(counted.c.org, counted.c.year).where(over).limit(STREAMS)
            found = {usage_stream(r.org, r.year): (r.org, r.year) for r in await db.execute(some)}
        if not found:
            return 0
        asked = await service.bus.ask(FindTaken(producer=SERVICE), Meta.system(SERVICE))
        upto = await agreed(service, asked.as_a(TakenShown))
        left = await take_out(service, list(found), upto)
        async with database.work() as db:
            key = tuple_(counted.c.org, counted.c.year)
            gone = [found[stream] for stream in left.streams]
            await db.execute(delete(counted).where(key.in_(gone)))
        return left.events + len(gone)

    async def overdue(database: Database, at: datetime) -> datetime | None:
        async with database.work() as db:
            oldest: str | None = (await db.execute(select(func.min(counted.c.year)))).scalar()
        if oldest is None or oldest >= first_kept(at, years):
            return None
        return over_at(oldest, years)

    return Sweep("usage", run, overdue)
