"""May a day be forgotten now? Only when the clocks agree and the hours since the last were counted.

A clock that jumps by months would else destroy months of evidence for good. A day with entries
needs 24 hours of digests behind the last such day; a digest that reaches over more hours, because
nobody was there, counts for 24 at most, so a jump costs one day and not all. While several days are
late, as after an outage, 12 hours are enough, so that they are caught up with at all.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.announcing import Clock

APART_MAX = timedelta(minutes=5)
HOUR = timedelta(hours=1)
HOURS_BETWEEN, HOURS_BEHIND, HOURS_OF_ONE = 24, 12, 24
PATIENCE_S = 300.0
READ = "select wall_clock() as at, (select max(to_at) from digests) as digest"
HOURS = """
select coalesce(sum(least(%s, extract(epoch from d.to_at - d.from_at) / 3600)), 0)::float8
from digests d where d.to_at > coalesce((select max(l.at) from forget_ledger l
  where l.kind = 'day' and exists (select 1 from forgotten_days f
    where f.last >= f.first and date '1970-01-01' + f.day::int = l.subject::date)), '-infinity')
"""


def since_boot() -> float:
    """Goes on evenly, also while the machine sleeps, whatever the time of day is set to."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Clocks:
    """The same moment by each of them; `steady` is the process's own start carried on evenly."""

    process: datetime
    steady: datetime
    database: datetime
    digest: datetime | None

    @property
    def agree(self) -> bool:
        ahead = self.digest is not None and self.digest - self.process > APART_MAX
        others = (self.database, self.steady)
        return not ahead and all(abs(self.process - other) <= APART_MAX for other in others)

    @property
    def counted(self) -> bool:
        """The last full hour has its digest."""
        return self.digest is not None and self.process - self.digest <= HOUR + APART_MAX


class Watch:
    """Reads the clocks of this process and its database."""

    def __init__(self, clock: Clock, steady: Callable[[], float] = since_boot) -> None:
        self._clock, self._steady = clock, steady
        self._zero = clock() - timedelta(seconds=steady())

    async def read(self, connection: AsyncConnection) -> Clocks:
        row = (await connection.execute(text(READ))).one()
        steady = self._zero + timedelta(seconds=self._steady())
        return Clocks(self._clock(), steady, row.at, row.digest)


async def hours_counted(connection: AsyncConnection) -> float:
    """Hours of digests since a day with entries was forgotten last."""
    return (await connection.exec_driver_sql(HOURS, (HOURS_OF_ONE,))).scalar_one()
