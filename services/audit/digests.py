"""Digests: every hour, also when nothing happened, the numbers of all producers, signed, chained.

The note says the hour, whether everything is there, the hash of the note before, the instance's
trail, and the hash of the numbers themselves, which only the operator may see.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import nats.errors
import psycopg
from sqlalchemy import text

from libs.common.database import LOST
from libs.common.errors import DomainError, Unavailable
from libs.common.eventstore import stream_of
from libs.common.fields import milliseconds
from libs.common.messages import Event
from libs.common.service import Service
from libs.trail.notes import b64
from services.audit import stored
from services.audit.announcing import Clock, until_full_hour
from services.audit.completeness import completeness
from services.audit.contract import CompletenessShown, ProducerShown
from services.audit.contract.proof import CountDiffered, Counted, DigestSigned, ProducerSilent
from services.audit.forget_ledger import missing_days
from services.audit.signing import CheckpointSigner

log = logging.getLogger(__name__)
HOUR = timedelta(hours=1)
CAUGHT_UP_S = 20.0
LOOK_S = 0.5
RETRY_S = 5.0
HEAD = "digests"
NOTHING = b64(bytes(32))
LAST = "select number, to_at, complete, note, body from digests order by number desc limit 1"
OWN_CHECKPOINT = """
select c.trail, c.size, c.root from checkpoints c join trails t using (trail)
where t.org = 'instance' order by c.size desc limit 1
"""
KEEP = """
insert into digests (number, from_at, to_at, complete, note, body) values (%s, %s, %s, %s, %s, %s)
on conflict do nothing
"""
FIRST_TAKEN = "select coalesce(min(at), wall_clock()) from taken"
_counted = msgspec.json.Decoder(list[dict[str, Any]]).decode
Count = Callable[[], Awaitable[CompletenessShown]]
Missing = Callable[[], Awaitable[Sequence[int]]]
Connect = Callable[[], AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]]


class Last(NamedTuple):
    """The digest before."""

    number: int
    to_at: datetime
    note: str | None
    counted: dict[str, dict[str, Any]]


class Digests:
    """Made by the leading process; `connect` is a connection of `audit_signer`. None is complete
    while details of a kept day are `missing`."""

    def __init__(
        self, service: Service, signer: CheckpointSigner, connect: Connect, origin: str,
        count: Count | None = None, caught_up_s: float = CAUGHT_UP_S,
        missing: Missing | None = None,
    ) -> None:  # fmt: skip
        self._service, self._signer, self._connect = service, signer, connect
        self._origin, self._caught_up_s = origin, caught_up_s
        self._count = count or (lambda: completeness(service))
        self._missing = missing or (lambda: missing_days(service))

    async def due(self, now: datetime) -> int | None:
        """Makes the digest up to the last full hour, unless it is there; its number.

        After hours without a process one digest reaches over all of them.
        """
        last = await self._last()
        to_at = now.replace(minute=0, second=0, microsecond=0)
        if to_at <= last.to_at:
            return None
        shown = await self._settled()
        producers = [_against(last.counted.get(p.producer), p) for p in shown.producers]
        whole = not await self._missing()
        complete = whole and shown.complete and all(p.complete for p in producers)
        body = msgspec.json.encode([p.model_dump() for p in producers]).decode()
        number = last.number + 1
        note = self._signer.sign(
            await self._text(number, last, to_at, complete=complete, body=body)
        )
        async with self._connect() as connection:
            values = (number, last.to_at, to_at, complete, note, body)
            kept = await connection.execute(KEEP.encode(), values)
            if not kept.rowcount:
                return None  # another process was first
        await self._tell(number, complete, producers, last)
        return number

    async def _last(self) -> Last:
        async with self._service.database.work() as connection:
            row = (await connection.execute(text(LAST))).first()
            if row is not None:
                counted = {p["producer"]: p for p in _counted(row.body)}
                return Last(row.number, row.to_at, row.note, counted)
            first = (await connection.execute(text(FIRST_TAKEN))).scalar_one()
        return Last(0, first.replace(minute=0, second=0, microsecond=0), None, {})

    async def _settled(self) -> CompletenessShown:
        """Counts until what the producers had at the beginning was taken, or it takes too long."""
        first = await self._count()
        heads = {p.producer: p.head or 0 for p in first.producers}
        deadline = asyncio.get_running_loop().time() + self._caught_up_s
        shown = first
        while any(p.last < heads[p.producer] for p in shown.producers):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(LOOK_S)
            shown = await self._count()
        return CompletenessShown(
            complete=all(_adds_up(p, heads[p.producer]) for p in shown.producers),
            audited=shown.audited, producers=shown.producers,
        )  # fmt: skip

    async def _text(
        self, number: int, last: Last, to_at: datetime, *, complete: bool, body: str
    ) -> str:
        async with self._service.database.work() as connection:
            own = (await connection.execute(text(OWN_CHECKPOINT))).first()
        before = hashlib.sha256(last.note.encode()).digest() if last.note is not None else None
        trail = f"{stored.trail_name(own.trail)} {own.size} {b64(own.root)}" if own else "-"
        lines = (
            f"{self._origin}/{HEAD}", str(number),
            f"{milliseconds(last.to_at)} {milliseconds(to_at)}",
            "complete" if complete else "incomplete", b64(before) if before else NOTHING, trail,
            b64(hashlib.sha256(body.encode()).digest()),
        )  # fmt: skip
        return "".join(f"{line}\n" for line in lines)

    async def _tell(
        self, number: int, complete: bool, producers: Sequence[Counted], last: Last
    ) -> None:
        facts: list[Event] = [DigestSigned(number=number, complete=complete)]
        for counted in producers:
            before = last.counted.get(counted.producer)
            facts += _news(number, counted, before)
        await self._service.append_system(stream_of("digests", "instance", str(number)), *facts)


def _adds_up(shown: ProducerShown, head: int) -> bool:
    """Everything it had when the digest began stands in the trail, each number once."""
    return (
        shown.head is not None and head <= shown.last == shown.count and not shown.gaps
        and shown.head >= shown.last
    )  # fmt: skip


def _against(before: dict[str, Any] | None, now: ProducerShown) -> Counted:
    """`complete` also needs that nothing went back since the digest before."""
    same = before is not None and before["incarnation"] == now.incarnation
    last = before["last"] if before is not None and same else 0
    missing = sum(gap.last - gap.first + 1 for gap in now.gaps)
    good = _adds_up(now, 0) and now.last >= last
    return Counted(
        producer=now.producer, incarnation=now.incarnation, head=now.head, first=last + 1,
        last=now.last, count=now.count, missing=missing, complete=good,
    )  # fmt: skip


def _news(number: int, now: Counted, before: dict[str, Any] | None) -> list[Event]:
    """What is told of a producer, once as long as it stays so."""
    facts: list[Event] = []
    if now.head is None and (before is None or before["head"] is not None):
        facts.append(ProducerSilent(producer=now.producer, number=number))
    if _differs(now) and (before is None or not _same(now, before)):
        facts.append(CountDiffered(
            producer=now.producer, number=number, head=now.head, last=now.last, count=now.count
        ))  # fmt: skip
    return facts


def _differs(now: Counted) -> bool:
    behind = now.head is not None and now.head < now.last
    back = now.last < now.first - 1
    return now.count != now.last - now.missing or behind or back


def _same(now: Counted, before: dict[str, Any]) -> bool:
    return now.last - now.count == before["last"] - before["count"] and _differs(
        Counted.model_validate(before)
    )


async def keep_digests(digests: Digests, clock: Clock) -> None:
    """For ever, in the leading process."""
    while True:
        try:
            await digests.due(clock())
        except (Unavailable, DomainError, nats.errors.Error, *LOST) as error:
            log.warning("no digest made", extra={"cause": type(error).__name__})
            await asyncio.sleep(RETRY_S)
            continue
        await asyncio.sleep(until_full_hour(clock()))
