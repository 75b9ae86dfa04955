"""Work of the holder of the lease: counted minutes become events, old sessions are closed."""

import asyncio
import logging
from collections import defaultdict
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from libs.common.database import LOST
from libs.common.errors import DomainError
from libs.common.eventstore import append_within, stream_of
from libs.common.messages import Event, Meta
from services.identity.contract import (
    AccessRefused,
    ApiUsageRecorded,
    SessionClosed,
    SignInRefused,
)
from services.identity.parts import Parts, now, person_stream
from services.identity.tables import (
    access_counts,
    attempts,
    one_time_tokens,
    refused_sign_ins,
    tokens,
)

log = logging.getLogger(__name__)
TURN_S = 10.0
LATE = timedelta(seconds=5)
AT_ONCE = 200
OLD_LINKS = timedelta(days=30)


async def sweep_for_ever(parts: Parts) -> None:
    while True:
        try:
            await sweep(parts, now())
        except (DomainError, *LOST) as error:
            log.warning("sweeping waits", extra={"cause": type(error).__name__})
        await asyncio.sleep(TURN_S)


async def sweep(parts: Parts, at: datetime) -> None:
    """One turn; minutes that ended some seconds before `at` are complete."""
    ended = at - timedelta(minutes=1) - LATE
    while await _access(parts, ended) == AT_ONCE:
        log.info("many access records")
    await _sign_ins(parts, ended)
    while await _sessions(parts, at) == AT_ONCE:
        log.info("many sessions expired")
    async with parts.service.database.work() as db:
        await db.execute(delete(attempts).where(attempts.c.at < at - timedelta(minutes=5)))
        late = one_time_tokens.c.expires_at < at - OLD_LINKS
        await db.execute(delete(one_time_tokens).where(late))


async def _access(parts: Parts, ended: datetime) -> int:
    """Deletes counts and appends what they say in one transaction."""
    due = select(access_counts.c.tally).where(access_counts.c.minute <= ended).limit(AT_ONCE)
    by_stream: dict[tuple[str, str], list[Event]] = defaultdict(list)
    async with parts.service.database.work() as db:
        taken = await db.execute(
            delete(access_counts).where(access_counts.c.tally.in_(due)).returning(access_counts)
        )
        rows = sorted(taken.all(), key=lambda row: (row.minute, row.tally))
        for row in rows:
            org = row.organization_id
            stream = stream_of("access", org, f"{row.minute:%Y%m%d}")
            by_stream[org, stream].append(_access_fact(row._asdict()))
        for (org, stream), events in by_stream.items():
            await append_within(db, stream, events, Meta.system("identity", org))
    return _said(parts, len(rows))


def _access_fact(row: dict[str, object]) -> Event:
    kind = AccessRefused if row["reason"] is not None else ApiUsageRecorded
    return kind.model_validate({name: row[name] for name in kind.model_fields})


async def _sign_ins(parts: Parts, ended: datetime) -> None:
    """In the person's stream when there is one, else in the day's."""
    counts = refused_sign_ins
    async with parts.service.database.work() as db:
        taken = await db.execute(delete(counts).where(counts.c.minute <= ended).returning(counts))
        rows = sorted(taken.all(), key=lambda row: (row.minute, row.email_index, row.reason))
        for row in rows:
            stream = stream_of("signins", "instance", f"{row.minute:%Y%m%d}")
            if row.person_id is not None:
                stream = person_stream(row.person_id)
            fact = SignInRefused.model_validate(row._asdict())
            await append_within(db, stream, [fact], Meta.system("identity"))
    _said(parts, len(rows))


async def _sessions(parts: Parts, at: datetime) -> int:
    """Sessions that ended by themselves; an expired API key stays until it is revoked."""
    old = select(tokens.c.digest).where(
        tokens.c.organization_id.is_(None), tokens.c.expires_at <= at
    )
    async with parts.service.database.work() as db:
        taken = await db.execute(
            delete(tokens).where(tokens.c.digest.in_(old.limit(AT_ONCE))).returning(tokens)
        )
        rows = taken.all()
        for row in rows:
            fact = SessionClosed(session_id=row.id, reason="expired")
            await append_within(db, person_stream(row.person_id), [fact], Meta.system("identity"))
    return _said(parts, len(rows))


def _said(parts: Parts, count: int) -> int:
    if count:
        parts.service.store.appended()
    return count
