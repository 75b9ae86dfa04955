"""The ledger of what was forgotten: written before anything is destroyed, applied before serving.

A day that stands in it is forgotten for good: whatever a crash left of it is finished, and what a
restored copy brings back goes again. So the ledger is the intent and the proof in one.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import psycopg
from psycopg import errors
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import LOST
from libs.common.errors import Unavailable
from libs.common.eventstore import rows, stream_of
from libs.common.messages import Meta, Recorded
from libs.common.service import Service
from services.audit.contract import SERVICE
from services.audit.contract.forgetting import DetailMissing
from services.audit.daykeys import DayKeys
from services.identity.contract import KeysDestroyed

log = logging.getLogger(__name__)
DAY = "day"
EPOCH = date(1970, 1, 1)
RETRY_S = 1.0
LOCK_TRIES, LOCK_PAUSE_S = 40, 0.25
NOTE = """
insert into forget_ledger (kind, subject, at, why, receipt) values (%s, %s, %s, %s, %s)
on conflict do nothing
"""
DESTROYED = """
select subject from forget_ledger where kind in ('person', 'organization') and subject = any(%s)
"""
FLOOR = "select max(subject) from forget_ledger where kind = 'day'"
_IS_THERE = """
exists (select 1 from pg_inherits i where i.inhparent = 'audit_detail'::regclass
  and i.inhrelid = to_regclass('audit_detail_' || d.day))
"""
_SPELLED = "to_char(date '1970-01-01' + d.day::int, 'YYYY-MM-DD')"
_IN_LEDGER = f"""
exists (select 1 from forget_ledger l where l.kind = 'day' and l.subject = {_SPELLED})
"""
MISSING = f"select d.day from detail_days d where not {_IS_THERE} and not {_IN_LEDGER} order by 1"
# Not those that a crash left: they are measured before they go (anonymizing.py).
CAME_BACK = f"""
select d.day from detail_days d where {_IS_THERE} and {_IN_LEDGER}
  and exists (select 1 from forgotten_days f where f.day = d.day) order by 1
"""
BEFORE = f"""
select d.day from detail_days d where d.day < %s and {_IS_THERE} and not {_IN_LEDGER} order by 1
"""


def spelled(day: int) -> str:
    return (EPOCH + timedelta(days=day)).isoformat()


def number_of(subject: str) -> int:
    return (date.fromisoformat(subject) - EPOCH).days


def begins(day: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)


async def note(
    connection: AsyncConnection, kind: str, subject: str, at: datetime, why: str,
    receipt: str | None = None,
) -> None:  # fmt: skip
    """Once: what stands there stays as it is."""
    await connection.exec_driver_sql(NOTE, (kind, subject, at, why, receipt))


async def note_keys(connection: AsyncConnection, events: Sequence[Recorded]) -> None:
    """The ids of destroyed keys; they name nobody once the keys are gone."""
    for event in events:
        if event.type == KeysDestroyed.type:
            data = event.json()
            kind = "organization" if str(data["owner_id"]).startswith("org_") else "person"
            for kid in data["kids"]:
                await note(connection, kind, str(kid), event.time, "keys-destroyed")


async def destroyed_among(service: Service, kids: Sequence[str]) -> list[str]:
    """Those of these ids of keys that the ledger names."""
    async with service.database.work() as connection:
        found = await connection.exec_driver_sql(DESTROYED, (list(kids),))
        return list(found.scalars())


async def is_destroyed(service: Service, kid: str) -> bool:
    """Whether the key of this id was destroyed, whatever a restored key store says."""
    return await destroyed_among(service, [kid]) != []


async def drop_day(service: Service, day: int) -> bool:
    """Drops the details of a day that stands in the ledger. False while somebody is in the way, or
    while no digest says that its time is over."""
    async with await service.database.connect() as connection:
        for _ in range(LOCK_TRIES):
            try:
                await connection.execute("select drop_detail_day(%s)", (day,))
                return True
            except errors.LockNotAvailable:
                await asyncio.sleep(LOCK_PAUSE_S)
            except errors.RaiseException as error:
                log.warning("details not dropped", extra={"day": spelled(day), "cause": str(error)})
                return False
    log.warning("details not dropped: somebody uses them", extra={"day": spelled(day)})
    return False


async def apply(service: Service, keys: DayKeys) -> None:
    """Before anything is served: no key from before the ledger's floor, no details of its days.

    Waits until the database answers.
    """
    while True:
        try:
            async with service.database.work() as connection:
                floor = (await connection.execute(text(FLOOR))).scalar_one()
            break
        except (Unavailable, *LOST):
            await asyncio.sleep(RETRY_S)
    if floor is not None and (gone := keys.forget_until(number_of(floor) + 1)):
        log.warning("older day keys than the ledger knows: stepped on", extra={"days": gone})
    try:
        await drop_what_came_back(service)
    except (Unavailable, psycopg.Error, *LOST) as error:
        log.warning("details not looked at", extra={"cause": type(error).__name__})


async def drop_what_came_back(service: Service) -> None:
    """Partitions of forgotten days, from a restored copy; nothing opens them any more."""
    async with service.database.work() as connection:
        days = (await connection.execute(text(CAME_BACK))).scalars().all()
    for day in days:
        await drop_day(service, day)


async def without_a_key(service: Service, keys: DayKeys, last: int) -> list[int]:
    """Days up to `last` whose details are there and that the keys have left behind: those of a
    restored database."""
    async with service.database.work() as connection:
        found = await connection.exec_driver_sql(BEFORE, (min(keys.oldest, last + 1),))
        return list(found.scalars())


async def missing_days(service: Service) -> list[int]:
    """Days whose details are gone though nothing says that they were forgotten; each is told once.

    An early drop, by whoever may do everything to the database.
    """
    async with service.database.work() as connection:
        days = list((await connection.execute(text(MISSING))).scalars())
    for day in days:
        log.critical("details were dropped before their time", extra={"day": spelled(day)})
        fact = DetailMissing(day=spelled(day))
        stream = stream_of("detail", "instance", spelled(day))
        await service.store.append_each(rows(stream, 1, [fact], Meta.system(SERVICE)))
    return days
