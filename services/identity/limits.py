"""How often a sign-in may be tried: counted in a sliding minute, per account and per address."""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import TooMany
from libs.common.messages import Meta
from services.identity.tables import attempts, refused_sign_ins

PER_ACCOUNT, PER_ADDRESS = 5, 20
WINDOW = timedelta(minutes=1)


async def may_try(db: AsyncConnection, account: str, address: str | None, at: datetime) -> None:
    """Counts a try; TooMany when there were enough in the last minute."""
    wanted = [(f"account:{account}", PER_ACCOUNT)]
    if address is not None:
        wanted.append((f"address:{address}", PER_ADDRESS))
    for subject, _ in wanted:
        await db.execute(
            text("select pg_advisory_xact_lock(hashtextextended(:subject, 0))"),
            {"subject": subject},
        )
    for subject, limit in wanted:
        await _below(db, subject, limit, at)
    await db.execute(insert(attempts), [{"subject": s, "at": at} for s, _ in wanted])


async def _below(db: AsyncConnection, subject: str, limit: int, at: datetime) -> None:
    mine = attempts.c.subject == subject
    await db.execute(delete(attempts).where(mine, attempts.c.at <= at - WINDOW))
    count, first = (
        await db.execute(select(func.count(), func.min(attempts.c.at)).where(mine))
    ).one()
    if count >= limit:
        wait = max(1, int((first + WINDOW - at).total_seconds()) + 1)
        raise TooMany("too many sign-ins; wait a little", retry_after_s=wait)


async def count_refusal(
    db: AsyncConnection, account: str, person_id: str | None, reason: str, at: datetime,
    meta: Meta, address: str | None,
) -> None:  # fmt: skip
    """Folded per account, reason, address and minute, until it becomes an event."""
    new = upsert(refused_sign_ins).values(
        email_index=account, reason=reason, minute=at.replace(second=0, microsecond=0),
        since=at, address=address or "", person_id=person_id, origin=meta.origin,
        request_id=meta.request_id or None, count=1,
    )  # fmt: skip
    await db.execute(new.on_conflict_do_update(
        index_elements=["email_index", "reason", "minute", "address"],
        set_={"count": refused_sign_ins.c.count + 1},
    ))  # fmt: skip
