"""Members of an organization, and their roles."""

from datetime import datetime

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.messages import Meta
from libs.common.pages import page_of
from services.identity import emails, reading, tables
from services.identity.contract import (
    SERVICE,
    AddMember,
    ChangeRole,
    FindMembers,
    MemberRemovedShown,
    MemberShown,
    RemoveMember,
    Role,
)
from services.identity.domain.organization import (
    Add,
    Caller,
    GiveRole,
    Remove,
    organization,
)
from services.identity.parts import Parts, now, opened_profile, organization_stream


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()
    service = parts.service

    @r.subscriber(FindMembers.type, queue=SERVICE)
    async def find_members(query: FindMembers, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as db:
            found = await reading.members_page(db, meta.organization, query)
        shown = [
            await _shown(parts, row.person_id, row, Role(row.role), row.added_at) for row in found
        ]
        return reply(page_of(found, query, lambda r: (r.added_at, r.person_id), shown))

    @r.subscriber(AddMember.type, queue=SERVICE)
    async def add_member(command: AddMember, meta: CausedBy) -> NatsResponse:
        index = emails.index_of(parts.settings.index_bytes, command.email)
        async with service.database.work() as db:
            row = await reading.profile_by_email(db, index)
        if row is None:
            raise NotFound("nobody signed up with this e-mail address")
        at = now()
        shown = await _shown(parts, row.org, row, command.role, at)
        return await service.decide(
            organization, organization_stream(meta.organization),
            Add(caller(meta), row.org, command.role, at), meta, answer=lambda _, version: shown,
        )  # fmt: skip

    @r.subscriber(ChangeRole.type, queue=SERVICE)
    async def change_role(command: ChangeRole, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as db:
            row = await reading.member(db, meta.organization, command.person)
        at = row.added_at if row else now()
        shown = await _shown(parts, command.person, row, command.role, at)
        return await service.decide(
            organization, organization_stream(meta.organization),
            GiveRole(caller(meta), command.person, command.role), meta,
            answer=lambda _, version: shown,
        )  # fmt: skip

    @r.subscriber(RemoveMember.type, queue=SERVICE)
    async def remove_member(command: RemoveMember, meta: CausedBy) -> NatsResponse:
        async def beside(db: AsyncConnection) -> None:
            """Their keys for this organization open nothing from this commit on."""
            mine = tables.tokens.c.person_id == command.person
            mine &= tables.tokens.c.organization_id == meta.organization
            await db.execute(delete(tables.tokens).where(mine))

        return await service.decide(
            organization, organization_stream(meta.organization),
            Remove(caller(meta), command.person, now()), meta, beside=beside,
            answer=lambda _, version: MemberRemovedShown(person=command.person),
        )  # fmt: skip

    return r


def caller(meta: Meta) -> Caller:
    return Caller(meta.actor, meta.permissions)


async def _shown(
    parts: Parts, person_id: str, row: reading.Found | None, role: Role, added_at: datetime
) -> MemberShown:
    """Also before anything was decided: the decider refuses who is no member."""
    return MemberShown(
        person=person_id, role=role, added_at=added_at,
        name=await opened_profile(parts, person_id, row.name if row else None),
        email=await opened_profile(parts, person_id, row.email if row else None),
    )  # fmt: skip
