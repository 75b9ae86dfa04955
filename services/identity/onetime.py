"""Tokens that work once: a digest of each, and what it is for. What was used says the log."""

from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.reading import Found
from services.identity.tables import one_time_tokens
from services.identity.tokens import digest_of

Kind = Literal["invitation", "sign-in-link"]


async def keep(
    db: AsyncConnection, kind: Kind, token: str, about: str, owner: str, expires_at: datetime
) -> None:
    """`about` is the id of the invitation or link, `owner` its organization or person."""
    new = insert(one_time_tokens).values(
        digest=digest_of(token), kind=kind, id=about, owner=owner, expires_at=expires_at
    )
    await db.execute(new.on_conflict_do_nothing())


async def find(db: AsyncConnection, kind: Kind, token: str) -> Found | None:
    """What the token is for; also of one that was used or is too old, which its decider knows."""
    known = select(one_time_tokens).where(
        one_time_tokens.c.digest == digest_of(token), one_time_tokens.c.kind == kind
    )
    return (await db.execute(known)).first()
