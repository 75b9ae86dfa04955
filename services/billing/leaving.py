"""Years of usage leave billing's log: whole streams, once audit and the relay have taken them."""

from datetime import datetime

from sqlalchemy import delete, func, select, tuple_

from libs.common.database import Database
from libs.common.messages import Meta
from libs.common.service import Service
from libs.common.sweeping import Sweep
from services.audit.contract import FindTaken, TakenShown
from services.billing.contract import SERVICE
from services.billing.domain import usage_stream
from services.billing.keeping import first_kept, over_at
from services.billing.views import counted

STREAMS = 20
MOST = 500
TAKE_OUT = """
select x.gone, x.events from (
  select min(case when r.incarnation = h.incarnation then r.n else 0 end) as n
  from (select n, incarnation from readers where name = any(%s) for update) r, heads h) viewed,
lateral expire_streams(%s, least(%s, viewed.n), %s) x
"""


def sweep(service: Service, years: int) -> Sweep:
    """Of the facts in the log; what the views made of them goes by `keeping`."""
    own = [reader.name for reader in service.readers if reader.producer == SERVICE]

    async def run(database: Database, at: datetime) -> int:
        over = counted.c.year < first_kept(at, years)
        async with database.work() as db:
            some = select(counted.c.org, counted.c.year).where(over).limit(STREAMS)
            found = {usage_stream(r.org, r.year): (r.org, r.year) for r in await db.execute(some)}
        if not found:
            return 0
        upto = await _taken(service)
        async with database.work() as db:
            row = (await db.exec_driver_sql(TAKE_OUT, (own, list(found), upto, MOST))).one()
            gone = [found[stream] for stream in row.gone]
            key = tuple_(counted.c.org, counted.c.year)
            await db.execute(delete(counted).where(key.in_(gone)))
        return row.events + len(gone)

    async def overdue(database: Database, at: datetime) -> datetime | None:
        async with database.work() as db:
            oldest: str | None = (await db.execute(select(func.min(counted.c.year)))).scalar()
        if oldest is None or oldest >= first_kept(at, years):
            return None
        return over_at(oldest, years)

    return Sweep("usage", run, overdue)


async def _taken(service: Service) -> int:
    """The number up to which audit and the relay have everything."""
    asked = await service.bus.ask(FindTaken(producer=SERVICE), Meta.system(SERVICE))
    found = asked.as_a(TakenShown)
    _, _, incarnation = await service.store.page(found.upto, 1)
    if found.incarnation != incarnation or service.relay is None:
        return 0
    return min(found.upto, service.relay.published)
