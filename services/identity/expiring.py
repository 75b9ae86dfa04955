"""Forgets what is over: tries to sign in, sessions, links that nobody can use any more."""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from libs.common.database import Database
from libs.common.eventstore import append_within
from libs.common.messages import Meta
from libs.common.sweeping import Sweep, sql_sweep
from services.identity.contract import SessionClosed
from services.identity.parts import Parts, person_stream
from services.identity.tables import tokens

ATTEMPTS_KEPT = timedelta(minutes=5)
OLD_LINKS_DAYS = 30
SESSIONS_A_BITE = 100
ATTEMPTS = sql_sweep(
    "attempts",
    "delete from attempts where ctid = any(array("
    "select ctid from attempts where at < :before limit :bite))",
    "select min(at) from attempts",
    ATTEMPTS_KEPT,
)
LINKS = sql_sweep(
    "one_time_tokens",
    "delete from one_time_tokens where digest in"
    " (select digest from one_time_tokens where expires_at < :before limit :bite)",
    "select min(expires_at) from one_time_tokens",
    OLD_LINKS_DAYS,
)


def sweeps(parts: Parts) -> list[Sweep]:
    return [ATTEMPTS, LINKS, _sessions(parts)]


def _sessions(parts: Parts) -> Sweep:
    """Sessions that ended by themselves; an expired API key stays until it is revoked."""
    session = tokens.c.organization_id.is_(None)

    async def run(database: Database, at: datetime) -> int:
        old = select(tokens.c.digest).where(session, tokens.c.expires_at <= at)
        some = tokens.c.digest.in_(old.limit(SESSIONS_A_BITE))
        async with database.work() as db:
            rows = (await db.execute(delete(tokens).where(some).returning(tokens))).all()
            for row in rows:
                fact = SessionClosed(session_id=row.id, reason="expired")
                stream = person_stream(row.person_id)
                await append_within(db, stream, [fact], Meta.system("identity"))
        if rows:
            parts.service.store.appended()
        return len(rows)

    async def overdue(database: Database, at: datetime) -> datetime | None:
        ended = select(func.min(tokens.c.expires_at)).where(session, tokens.c.expires_at <= at)
        async with database.work() as db:
            return (await db.execute(ended)).scalar()

    return Sweep("tokens", run, overdue)
