"""Keeps the entries of a case under its key, before their day is forgotten; and destroys them.

What was entered is copied when a hold is placed, every hour, and once more right before a day is
forgotten. Who ends a case destroys its key in both places, then the rows; a crash in between is
finished at the next turn.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import LOST
from libs.common.errors import DomainError
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from libs.common.service import Service
from libs.trail.canonical import day_of
from services.audit.announcing import Clock
from services.audit.contract import SERVICE, FindEntries
from services.audit.contract.holds import Ended, HoldLifted
from services.audit.daykeys import DayKeys
from services.audit.forget_ledger import note
from services.audit.forget_tables import holds
from services.audit.hold_keys import HoldKeys
from services.audit.hold_log import deciding
from services.audit.people import People
from services.audit.proving import own_trail
from services.audit.receipts import Receipts, receipt_id
from services.audit.searching import Found, Search, Wanted, values_of

log = logging.getLogger(__name__)
KIND, FILTER = "hold", "holds"
AT_ONCE = 500
EVERY = timedelta(hours=1)
POLL_S = 60.0
# One process at a time keeps or destroys what belongs to a case.
ALONE = "select pg_advisory_xact_lock(4713, hashtext(%s))"
STILL = "select 1 from holds where id = %s and ended_at is null"
KEEP = """
insert into hold_entries (hold, seq, trail, day, sealed) values (%s, %s, %s, %s, %s)
on conflict do nothing
"""
MARK = """
insert into hold_marks (hold, day) values (%s, %s)
on conflict (hold) do update set day = excluded.day
"""
UNDONE = "select r.id from receipts r where r.id = any(%s)"


class Keeper:
    """What the leading process does for cases."""

    def __init__(
        self, service: Service, keys: DayKeys, people: People, cases: HoldKeys, receipts: Receipts,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._service, self._keys, self._people = service, keys, people
        self.cases, self._receipts, self._clock = cases, receipts, clock
        self._copied: dict[str, datetime] = {}
        self.woken = service.lease.woken("holds")

    async def run(self) -> None:
        """For ever."""
        while True:
            self.woken.clear()
            try:
                await self.turn()
            except (DomainError, *LOST) as error:
                log.warning("cases wait", extra={"cause": type(error).__name__})
            try:
                async with asyncio.timeout(POLL_S):
                    await self.woken.wait()
            except TimeoutError:
                continue

    async def turn(self) -> None:
        """Ends what is over, and copies what is new once an hour."""
        now = self._clock()
        async with self._service.database.work() as connection:
            found = (await connection.execute(select(holds))).all()
            ended = [row.receipt for row in found if row.receipt is not None]
            receipts = await connection.exec_driver_sql(UNDONE, (ended,))
            finished = set(receipts.scalars())
        for row in found:
            if row.ended_at is not None:
                if row.receipt not in finished:
                    await self.finish(row)
            elif row.expires_at <= now:
                await self.end(row, "expired", Meta.system(SERVICE, row.org))
            elif now - self._copied.get(row.id, datetime.min.replace(tzinfo=now.tzinfo)) >= EVERY:
                await self.keep(row)
                self._copied[row.id] = now

    async def secure(self, day: int) -> None:
        """Before a day is forgotten: what any case needs of it is copied."""
        now = self._clock()
        async with self._service.database.work() as connection:
            found = (
                await connection.execute(select(holds).where(holds.c.ended_at.is_(None)))
            ).all()
        for row in found:
            first, last = _days(row)
            if row.expires_at > now and first <= day <= last:
                await self._copy(row, day, day)

    async def keep(self, row: Any) -> None:
        """Copies all days that were not whole when they were copied last."""
        first, last = _days(row)
        async with self._service.database.work() as connection:
            sql = "select day from hold_marks where hold = %s"
            marked = (await connection.exec_driver_sql(sql, (row.id,))).scalar_one_or_none()
        self._keys.refresh()
        first = max(first if marked is None else marked, self._keys.oldest)
        last = min(last, day_of(self._clock()))
        if await self._copy(row, first, last):
            async with self._service.database.work() as connection:
                await connection.exec_driver_sql(MARK, (row.id, last))

    async def _copy(self, row: Any, first: int, last: int) -> bool:
        """All entries of these days that the case names; False when it ended meanwhile."""
        trail = await own_trail(self._service, row.org)
        given = filter_of(self._service, row)
        place: tuple[int, int] | None = None
        while trail is not None and first <= last:
            async with self._service.database.read(row.org) as connection:
                query = FindEntries(**given)
                wanted = Wanted(
                    await values_of(connection, query), row.from_at, row.to_at, (first, last)
                )
                search = Search(connection, self._keys, self._people, ascending=True)
                found = await search.find(wanted, AT_ONCE, place)
            if not await self._store(row, trail, found):
                return False
            if len(found) < AT_ONCE:
                break
            place = found[-1].day, found[-1].seq
        return True

    async def _store(self, row: Any, trail: Any, found: list[Found]) -> bool:
        async with self._service.database.work() as connection:
            await connection.exec_driver_sql(ALONE, (row.id,))
            if (await connection.exec_driver_sql(STILL, (row.id,))).first() is None:
                return False
            key = self.cases.make(row.id, row.expires_at)
            values = [
                (row.id, one.seq, trail, one.day, key.seal(trail, one.seq, one.opened))
                for one in found
            ]
            if values:
                await connection.exec_driver_sql(KEEP, values)
        return True

    async def end(self, row: Any, how: Ended, meta: Meta) -> None:
        """Tells that it is over, once, and destroys it."""
        async with self._service.database.work() as connection:
            entries = await count(connection, row.id)
        trail = await own_trail(self._service, row.org)
        assert trail is not None, "a hold is placed where there is a trail"
        fact = HoldLifted(
            hold_id=row.id, how=how, entries=entries, ended_at=self._clock(),
            receipt=receipt_id(trail, KIND, row.id),
        )  # fmt: skip
        stream = stream_of(KIND, row.org, row.id)
        outcome = await self._service.store.execute(deciding(row.org), stream, [fact], meta)
        await self._service.seen(outcome)
        await self.finish(outcome.state)

    async def finish(self, ended: Any) -> None:
        """Key, then rows; `ended` says when it ended and how. Whatever was done stays done."""
        trail = await own_trail(self._service, ended.org)
        assert trail is not None, "a hold is placed where there is a trail"
        async with self._service.database.work() as connection:
            await connection.exec_driver_sql(ALONE, (ended.id,))
            self.cases.destroy(ended.id)
            await connection.exec_driver_sql(
                "delete from hold_entries where hold = %s", (ended.id,)
            )
            await connection.exec_driver_sql("delete from hold_marks where hold = %s", (ended.id,))
            await note(connection, KIND, ended.id, ended.ended_at, ended.how, ended.receipt)
        lines = (ended.how, str(ended.entries))
        await self._receipts.write(trail, KIND, ended.id, ended.ended_at, lines)


async def count(connection: AsyncConnection, hold: str) -> int:
    sql = "select count(*) from hold_entries where hold = :hold"
    return (await connection.execute(text(sql), {"hold": hold})).scalar_one()


def filter_of(service: Service, row: Any) -> Mapping[str, Any]:
    """Actors and types that the case names, null where it names none."""
    key = service.keys.installation_key(FILTER)
    return key.open(row.filter, stream_of(KIND, row.org, row.id))


def _days(row: Any) -> tuple[int, int]:
    """Days on which what happened in its time may have been entered (searching.py)."""
    return day_of(row.from_at) - 1, day_of(row.to_at)
