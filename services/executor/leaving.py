"""How streams leave the log: in bites, and only what everybody who needs it has taken.

The log takes nothing in while a bite leaves, so what it consists of is read before: its pages are
in memory then, and it is known how much fits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, cast

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import unavailable
from libs.common.messages import Meta
from services.audit.contract import FindTaken, TakenShown
from services.billing.contract import CountedShown, FindCounted
from services.executor.contract import SERVICE

if TYPE_CHECKING:
    from services.executor.engine import Engine

MOST = 500
WEIGHTS = text("""
select s.s as stream, count(*) + sum(octet_length(l.data::text)) / 2000 as weight
from unnest(cast(:names as text[])) s(s) cross join lateral
  (select l.data from log l where l.stream = s.s order by l.version limit :most) l
group by s.s
""")
# One statement and its commit: nobody waits for what happens in this process meanwhile, nor for the
# disk, as what a crash takes back is done again. Whoever is about to write into a view what leaves
# has the bookmark, or waits for it.
TAKE_OUT = """
select x.gone, x.events, set_config('synchronous_commit', 'off', true) from (
  select min(case when r.incarnation = h.incarnation then r.n else 0 end) as n
  from (select n, incarnation from readers where name = any(%s) for update) r, heads h) viewed,
lateral expire_streams(%s, least(%s, viewed.n), %s) x
"""


@dataclass(frozen=True, slots=True)
class Left:
    """Streams of which nothing is left, and how many events went, these streams' or others'."""

    streams: frozenset[str]
    events: int


async def taken(engine: "Engine") -> int:
    """The number up to which audit and the relay have everything, and billing counted all."""
    service, meta = engine.service, Meta.system(SERVICE)
    found = (await service.bus.ask(FindTaken(producer=SERVICE), meta)).as_a(TakenShown)
    counted = (await service.bus.ask(FindCounted(), meta)).as_a(CountedShown)
    _, _, incarnation = await service.store.page(found.upto, 1)
    if {found.incarnation, counted.incarnation} != {incarnation} or service.relay is None:
        return 0
    return min(found.upto, counted.upto, service.relay.published)


async def fitting(db: AsyncConnection, groups: Sequence[Sequence[str]]) -> int:
    """How many of these groups of streams, from the first on, leave together; at least one."""
    names = [name for group in groups for name in group]
    found = await db.execute(WEIGHTS, {"names": names, "most": MOST})
    weights = {row.stream: int(row.weight) for row in found}
    sums = accumulate(sum(weights.get(name, 0) for name in group) for group in groups)
    return max(1, sum(one <= MOST for one in sums))


async def take_out(engine: "Engine", names: Sequence[str], upto: int) -> Left:
    """While they leave nothing is appended to the log."""
    service = engine.service
    own = [reader.name for reader in service.readers if reader.producer == SERVICE]
    with unavailable("store"):
        async with service.database.hot.connection() as connection:
            cursor = await connection.execute(TAKE_OUT, (own, list(names), upto, MOST))
            gone, events, _ = cast(tuple[list[str], int, str], await cursor.fetchone())
    return Left(frozenset(gone), events)
