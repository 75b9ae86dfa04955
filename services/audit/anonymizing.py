"""Forgets a day of the trail when it is ninety days old: key, details, and nothing else.

The order is that of a crash that may come anywhere: what a case needs is copied, the ledger says
what is to be forgotten, the key steps forward, the details are dropped; then it is told and a
receipt is signed. Each step is done when it is not done yet, so finishing a day twice is finishing
it once. The day and class of an entry stay in its leaf: from them the counts are made.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from libs.common.database import Database
from libs.common.eventstore import Row, rows, stream_of
from libs.common.messages import Meta
from libs.common.service import Service
from libs.common.sweeping import Sweep
from libs.trail.notes import b64
from services.audit import counting, stored
from services.audit.announcing import Clock
from services.audit.clocks import HOURS_BEHIND, HOURS_BETWEEN, Clocks, Watch, hours_counted
from services.audit.contract import SERVICE
from services.audit.contract.forgetting import DayForgotten, ForgettingStopped
from services.audit.daykeys import KEPT_DAYS, DayKeys
from services.audit.forget_ledger import (
    DAY,
    begins,
    drop_day,
    drop_what_came_back,
    note,
    number_of,
    spelled,
    without_a_key,
)
from services.audit.receipts import Receipts, receipt_id
from services.audit.signing import CheckpointSigner

log = logging.getLogger(__name__)
AT_ONCE = 200
INSTANCE = "select trail from trails where org = 'instance'"
UNFINISHED = """
select l.subject, l.at from forget_ledger l where l.kind = 'day'
  and not exists (select 1 from receipts r where r.id = l.receipt) order by l.subject
"""
OVER = """
select d.day, exists (select 1 from audit_detail a where a.day = d.day) as entries
from detail_days d where d.day >= %s and d.day <= %s order by d.day
"""
MEASURE = """
insert into forgotten_days (day, trail, first, last, size, root)
select %(day)s, t.trail, coalesce(m.first, lost.first), coalesce(m.last, lost.last),
  coalesce(c.size, 0), c.root
from trails t
cross join (select case when gone.day is null then 0 end as first,
    case when gone.day is null then -1 end as last
  from (values (%(day)s::bigint)) as d(day) left join detail_days gone
    on gone.day = d.day and to_regclass('audit_detail_' || d.day) is null) lost
left join (select trail, min(seq) as first, max(seq) as last from audit_detail
  where day = %(day)s group by trail) m using (trail)
left join lateral (select size, root from checkpoints c where c.trail = t.trail
  order by size desc limit 1) c on true
where m.trail is not null or t.org = 'instance'
on conflict do nothing
"""
MEASURED = """
select t.org, f.trail, f.first, f.last, f.size, f.root from forgotten_days f
join trails t using (trail) where f.day = %s order by (t.org = 'instance'), f.trail
"""


@dataclass(frozen=True, slots=True)
class Decided:
    """A day that stands in the ledger."""

    day: int
    at: datetime


class Anonymizer:
    """What the leading process does with days whose time is over; `secure` copies for cases."""

    def __init__(
        self, service: Service, keys: DayKeys, signer: CheckpointSigner, receipts: Receipts,
        secure: Callable[[int], Awaitable[None]], clock: Clock, watch: Watch | None = None,
    ) -> None:  # fmt: skip
        self._service, self._keys, self._signer = service, keys, signer
        self._receipts, self._secure, self._clock = receipts, secure, clock
        self._watch = watch or Watch(clock)

    def sweep(self) -> Sweep:
        async def run(database: Database, at: datetime) -> int:
            return await self.step()

        return Sweep("detail", run, self.overdue)

    async def overdue(self, database: Database, at: datetime) -> datetime | None:
        """Since when the oldest day should have been forgotten that is not, or not wholly."""
        self._keys.refresh()
        async with database.work() as connection:
            begun = (await connection.execute(text(UNFINISHED))).first()
        oldest = self._keys.oldest if begun is None else number_of(begun.subject)
        since = begins(oldest + KEPT_DAYS)
        return since if since < at else None

    async def step(self) -> int:
        """Finishes what was begun, and forgets at most one day more; how many days went."""
        await drop_what_came_back(self._service)
        self._keys.refresh()
        last = last_due(self._clock())
        for day in await without_a_key(self._service, self._keys, last):
            await self._decide(day, "restored")
        finished = await self._finish_all()
        day = await self.due()
        if day is None:
            return finished
        await self._secure(day)
        await self._decide(day, "ninety-days")
        return finished + await self._finish_all()

    async def due(self) -> int | None:
        """The oldest day, when its time is over and nothing speaks against forgetting it now."""
        self._keys.refresh()
        day, last = self._keys.oldest, last_due(self._clock())
        if day > last:
            return None
        async with self._service.database.work() as connection:
            if (await connection.execute(text(INSTANCE))).first() is None:
                return None  # nothing was ever entered
            clocks = await self._watch.read(connection)
            known = (await connection.exec_driver_sql(OVER, (day, last))).all()
            hours = await hours_counted(connection)
        if not clocks.agree:
            await self._stopped(day, clocks)
            return None
        if not clocks.counted:
            log.info("no day is forgotten before the last full hour has its digest")
            return None
        first = known[0].day if known else last + 1
        if first > day:  # nothing was ever entered there: nothing is destroyed, nothing told
            self._keys.forget_until(first)
        if not known:
            return None
        needed = HOURS_BEHIND if sum(row.entries for row in known) > 1 else HOURS_BETWEEN
        return first if not known[0].entries or hours >= needed else None

    async def _stopped(self, day: int, clocks: Clocks) -> None:
        log.critical("clocks differ: no day is forgotten", extra={"day": spelled(day)})
        fact = ForgettingStopped(
            day=spelled(day), process_at=clocks.process, database_at=clocks.database,
            digest_at=clocks.digest,
        )  # fmt: skip
        stream = stream_of("forgetting", "instance", spelled(day))
        await self._service.store.append_each(rows(stream, 1, [fact], Meta.system(SERVICE)))

    async def _decide(self, day: int, why: str) -> None:
        """From here on the day is forgotten, whatever happens."""
        async with self._service.database.work() as connection:
            trail = (await connection.execute(text(INSTANCE))).scalar_one()
            receipt = receipt_id(trail, DAY, spelled(day))
            await note(connection, DAY, spelled(day), self._clock(), why, receipt)

    async def _finish_all(self) -> int:
        async with self._service.database.work() as connection:
            found = (await connection.execute(text(UNFINISHED))).all()
        done = 0
        for row in found:
            if not await self.finish(Decided(number_of(row.subject), row.at)):
                break
            done += 1
        return done

    async def finish(self, decided: Decided) -> bool:
        """Does what is not done yet; False when the details are still there."""
        self._keys.forget_until(decided.day + 1)
        async with self._service.database.work() as connection:
            await connection.exec_driver_sql(MEASURE, {"day": decided.day})
        if not await drop_day(self._service, decided.day):
            return False
        facts = await self._facts(decided)
        await self._tell(facts)
        for row, fact in facts:
            await self._signer.now(row.trail, self._clock())
            await self._receipts.write(row.trail, DAY, fact.day, decided.at, _lines(fact))
        log.info("a day was forgotten", extra={"day": spelled(decided.day), "trails": len(facts)})
        return True

    async def _facts(self, decided: Decided) -> list[tuple[Any, DayForgotten]]:
        """For each trail that had entries, and for the instance's, which comes last."""
        day, facts = decided.day, []
        async with self._service.database.work() as connection:
            found = (await connection.exec_driver_sql(MEASURED, (day,))).all()
        for row in found:
            entries, counts = None, []
            if row.first is not None:  # else its details were lost before
                entries, counts = counting.told(await self._counts(row, day))
            facts.append((row, DayForgotten(
                trail=stored.trail_name(row.trail), day=spelled(day), entries=entries,
                counts=counts, size=row.size, root=b64(row.root) if row.root else None,
                receipt=receipt_id(row.trail, DAY, spelled(day)),
            )))  # fmt: skip
        return facts

    async def _counts(self, row: Any, day: int) -> dict[str, int]:
        async with self._service.database.work() as connection:
            of = stored.of_work(connection)
            return await counting.of_day(of, row.trail, day, row.first, row.last)

    async def _tell(self, facts: list[tuple[Any, DayForgotten]]) -> None:
        """The first event of a stream of its own, so it is there once."""
        batch: list[Row] = []
        for row, fact in facts:
            stream = stream_of("receipt", row.org, fact.receipt)
            batch += rows(stream, 1, [fact], Meta.system(SERVICE, row.org))
        for start in range(0, len(batch), AT_ONCE):
            await self._service.store.append_each(batch[start : start + AT_ONCE])


def last_due(now: datetime) -> int:
    """The last day that is ninety days old."""
    return int(now.timestamp()) // 86_400 - KEPT_DAYS


def _lines(fact: DayForgotten) -> tuple[str, str]:
    """The last checkpoint before, and how many entries were forgotten, if that is told."""
    before = f"{fact.size} {fact.root}" if fact.root is not None else "-"
    return before, str(fact.entries) if fact.entries is not None else "-"
