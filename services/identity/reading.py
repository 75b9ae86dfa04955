"""Queries over the read models, and lookups by e-mail address, token and short name."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.pages import PageQuery, seek
from services.identity.tables import (
    api_keys,
    emails,
    invitations,
    members,
    memberships,
    notifications,
    operators,
    organizations,
    people,
    slugs,
    tokens,
)

Found = Row[Any]


async def profile(db: AsyncConnection, person_id: str) -> Found | None:
    return (await db.execute(select(people).where(people.c.org == person_id))).first()


async def profile_by_email(db: AsyncConnection, email_index: str) -> Found | None:
    held = select(emails.c.person_id).where(emails.c.email_index == email_index)
    return (await db.execute(select(people).where(people.c.org == held.scalar_subquery()))).first()


async def organization(db: AsyncConnection, organization_id: str) -> Found | None:
    found = select(organizations).where(organizations.c.org == organization_id)
    return (await db.execute(found)).first()


async def organization_named(db: AsyncConnection, name: str) -> Found | None:
    """By id or short name."""
    same = or_(slugs.c.organization_id == name, slugs.c.slug == name)
    return (await db.execute(select(slugs).where(same))).first()


async def memberships_of(db: AsyncConnection, person_id: str) -> Sequence[Found]:
    mine = select(memberships).where(memberships.c.org == person_id)
    ordered = mine.order_by(memberships.c.added_at, memberships.c.organization_id)
    return (await db.execute(ordered)).all()


async def memberships_page(
    db: AsyncConnection, person_id: str, query: PageQuery
) -> Sequence[Found]:
    mine = select(memberships).where(memberships.c.org == person_id)
    paged = seek(mine, query, memberships.c.added_at, memberships.c.organization_id)
    return (await db.execute(paged)).all()


async def members_page(db: AsyncConnection, org: str, query: PageQuery) -> Sequence[Found]:
    theirs = select(members).where(members.c.org == org)
    paged = seek(theirs, query, members.c.added_at, members.c.person_id)
    return (await db.execute(paged)).all()


async def member(db: AsyncConnection, org: str, person_id: str) -> Found | None:
    one = select(members).where(members.c.org == org, members.c.person_id == person_id)
    return (await db.execute(one)).first()


async def api_keys_page(
    db: AsyncConnection, org: str, query: PageQuery, created_by: str | None
) -> Sequence[Found]:
    """Those that were not revoked; of one creator only, when one is named."""
    found = select(api_keys).where(api_keys.c.org == org, api_keys.c.revoked_at.is_(None))
    if created_by is not None:
        found = found.where(api_keys.c.created_by == created_by)
    paged = seek(found, query, api_keys.c.created_at, api_keys.c.key_id)
    return (await db.execute(paged)).all()


async def api_key(db: AsyncConnection, org: str, key_id: str) -> Found | None:
    one = select(api_keys).where(api_keys.c.org == org, api_keys.c.key_id == key_id)
    return (await db.execute(one)).first()


async def invitations_page(db: AsyncConnection, org: str, query: PageQuery) -> Sequence[Found]:
    theirs = select(invitations).where(invitations.c.org == org)
    paged = seek(theirs, query, invitations.c.issued_at, invitations.c.invitation_id)
    return (await db.execute(paged)).all()


async def notifications_page(
    db: AsyncConnection, person_id: str, query: PageQuery
) -> Sequence[Found]:
    mine = select(notifications).where(notifications.c.org == person_id)
    paged = seek(mine, query, notifications.c.raised_at, notifications.c.notification_id)
    return (await db.execute(paged)).all()


async def notification(db: AsyncConnection, person_id: str, note_id: str) -> Found | None:
    one = select(notifications).where(
        notifications.c.org == person_id, notifications.c.notification_id == note_id
    )
    return (await db.execute(one)).first()


async def token(db: AsyncConnection, digest: str, at: datetime) -> Found | None:
    """The token with this digest, unless it expired."""
    alive = or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > at)
    return (await db.execute(select(tokens).where(tokens.c.digest == digest, alive))).first()


async def operator(db: AsyncConnection) -> str | None:
    return (await db.execute(select(operators.c.person_id))).scalar_one_or_none()
