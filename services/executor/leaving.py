"""What leaves the executor's log together, and how far: what audit and billing have taken.

The log takes nothing in while a bite leaves, so what it consists of is read before: its pages are
in memory then, and it is known how much fits.
"""

from collections.abc import Sequence
from itertools import accumulate

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.leaving import MOST, agreed
from libs.common.messages import Meta
from libs.common.service import Service
from services.audit.contract import FindTaken, TakenShown
from services.billing.contract import CountedShown, FindCounted
from services.executor.contract import SERVICE

WEIGHTS = text("""
select s.s as stream, count(*) + sum(octet_length(l.data::text)) / 2000 as weight
from unnest(cast(:names as text[])) s(s) cross join lateral
  (select l.data from log l where l.stream = s.s order by l.version limit :most) l
group by s.s
""")


async def taken(service: Service) -> int:
    """The number up to which audit and the relay have everything, and billing counted all."""
    meta = Meta.system(SERVICE)
    found = (await service.bus.ask(FindTaken(producer=SERVICE), meta)).as_a(TakenShown)
    counted = (await service.bus.ask(FindCounted(), meta)).as_a(CountedShown)
    return await agreed(service, found, counted)


async def fitting(db: AsyncConnection, groups: Sequence[Sequence[str]]) -> int:
    """How many of these groups of streams, from the first on, leave together; at least one."""
    names = [name for group in groups for name in group]
    found = await db.execute(WEIGHTS, {"names": names, "most": MOST})
    weights = {row.stream: int(row.weight) for row in found}
    sums = accumulate(sum(weights.get(name, 0) for name in group) for group in groups)
    return max(1, sum(one <= MOST for one in sums))
