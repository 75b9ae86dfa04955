"""Work of the holder of the lease: counted minutes become events."""

import asyncio
import logging
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select

from libs.common.database import LOST
from libs.common.errors import DomainError
from libs.common.eventstore import append_within, stream_of
from libs.common.messages import Event, Meta
from services.identity.contract import (
    AccessRefused,
    ApiUsageRecorded,
    SignInRefused,
)
from services.identity.parts import Parts, now, person_stream
from services.identity.tables import (
    access_counts,
    refused_sign_ins,
)

log = logging.getLogger(__name__)
TURN_S = 10.0
AT_ONCE = 200


async def sweep_for_ever(parts: Parts) -> None:
    while True:
        try:
            await sweep(parts, now())
        except (DomainError, *LOST) as error:
            log.warning("sweeping waits", extra={"cause": type(error).__name__})
        await asyncio.sleep(min(TURN_S, parts.settings.counts_gathered_s))


async def sweep(parts: Parts, at: datetime) -> None:
    """One turn: what is counted for half a minute (the default) at `at` becomes events.

    So what was counted stands in the trail within a minute.
    """
    until = at - timedelta(seconds=parts.settings.counts_gathered_s)
    while await _access(parts, until) == AT_ONCE:
        log.info("many access records")
    await _sign_ins(parts, until)


async def _access(parts: Parts, until: datetime) -> int:
    """Deletes counts and appends what they say in one transaction."""
    due = select(access_counts.c.tally).where(access_counts.c.since <= until).limit(AT_ONCE)
    by_stream: dict[str, list[tuple[Event, Meta]]] = defaultdict(list)
    async with parts.service.database.work() as db:
        taken = await db.execute(
            delete(access_counts).where(access_counts.c.tally.in_(due)).returning(access_counts)
        )
        rows = sorted(taken.all(), key=lambda row: (row.minute, row.tally))
        for row in rows:
            org = row.organization_id
            stream = stream_of("access", org, f"{row.minute:%Y%m%d}")
            by_stream[stream].append((_access_fact(row._asdict()), _caused(row, row.actor)))
        for stream, noted in by_stream.items():
            facts, metas = zip(*noted, strict=True)
            await append_within(db, stream, facts, metas)
    return _said(parts, len(rows))


def _access_fact(row: dict[str, object]) -> Event:
    kind = AccessRefused if row["reason"] is not None else ApiUsageRecorded
    return kind.model_validate({name: row[name] for name in kind.model_fields})


def _caused(row: Any, actor: str) -> Meta:
    """The first of the requests that were counted: whose it was, and where it came from."""
    return Meta(
        organization=getattr(row, "organization_id", "instance"), actor=actor,
        request_id=row.request_id or "", origin=row.origin,
    )  # fmt: skip


async def _sign_ins(parts: Parts, until: datetime) -> None:
    """In the person's stream when there is one, else in the day's."""
    counts = refused_sign_ins
    async with parts.service.database.work() as db:
        taken = await db.execute(delete(counts).where(counts.c.since <= until).returning(counts))
        rows = sorted(taken.all(), key=lambda row: (row.minute, row.email_index, row.reason))
        for row in rows:
            stream = stream_of("signins", "instance", f"{row.minute:%Y%m%d}")
            if row.person_id is not None:
                stream = person_stream(row.person_id)
            fact = SignInRefused.model_validate(
                {name: getattr(row, name) for name in SignInRefused.model_fields}
            )
            await append_within(db, stream, [fact], _caused(row, "system:public"))
    _said(parts, len(rows))


def _said(parts: Parts, count: int) -> int:
    if count:
        parts.service.store.appended()
    return count
