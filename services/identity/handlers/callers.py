"""Who is calling, and may they?"""

from collections.abc import Sequence
from dataclasses import dataclass

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy, reply
from libs.common.messages import Meta
from services.identity import reading
from services.identity.contract import (
    ROLES,
    SERVICE,
    CallerShown,
    CredentialInvalid,
    FindCaller,
    FindMe,
    FindPermissions,
    MeShown,
    MyOrganizationShown,
    PermissionsFound,
    PersonShown,
    Role,
)
from services.identity.handlers.organizations import show_membership
from services.identity.parts import Parts, now, only_services, opened_profile


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()

    @r.subscriber(FindCaller.type, queue=SERVICE)
    async def find_caller(query: FindCaller, meta: CausedBy) -> NatsResponse:
        only_services(meta)
        async with parts.service.database.work() as db:
            token = await reading.token(db, query.credential_digest, now())
            if token is None:
                raise CredentialInvalid("unknown, expired or revoked")
            rows = await reading.memberships_of(db, token.person_id)
            operator = await reading.operator(db) == token.person_id
        return reply(await _caller(parts, token, rows, operator, query.organization))

    @r.subscriber(FindPermissions.type, queue=SERVICE)
    async def find_permissions(query: FindPermissions, meta: CausedBy) -> NatsResponse:
        only_services(meta)
        async with parts.service.database.read(meta.organization) as db:
            found = await _permissions(db, meta.organization, query.actor)
        return reply(PermissionsFound(permissions=sorted(found)))

    @r.subscriber(FindMe.type, queue=SERVICE)
    async def find_me(query: FindMe, meta: CausedBy) -> NatsResponse:
        return reply(await _me(parts, meta))

    return r


@dataclass(frozen=True, slots=True)
class Standing:
    """The organizations of a caller, the chosen one, and what is allowed there."""

    all: list[MyOrganizationShown]
    chosen: MyOrganizationShown | None
    permissions: list[str]

    @classmethod
    async def of(
        cls, parts: Parts, rows: list[reading.Found], name: str | None,
        scopes: frozenset[str] | None,
    ) -> "Standing":  # fmt: skip
        """`name` None chooses the only one; scopes narrow what the role allows *now*."""
        mine = [await show_membership(parts, row) for row in rows]
        fits = [m for m in mine if name in (m.id, m.slug)] if name else mine
        chosen = fits[0] if len(fits) == 1 else None
        allowed = ROLES[chosen.role] if chosen else frozenset()
        if scopes is not None:
            allowed &= scopes
        return cls(mine, chosen, sorted(allowed))


async def _permissions(db: AsyncConnection, org: str, actor: str) -> frozenset[str]:
    """Those of the role; of a key its scopes, as far as its creator has them now."""
    person, scopes = actor, None
    if actor.startswith("key_"):
        key = await reading.api_key(db, org, actor)
        if key is None or key.revoked_at is not None:
            return frozenset()
        if key.expires_at is not None and key.expires_at <= now():
            return frozenset()
        person, scopes = key.created_by, frozenset(key.scopes)
    member = await reading.member(db, org, person)
    allowed = ROLES[Role(member.role)] if member is not None else frozenset()
    return allowed if scopes is None else allowed & scopes


async def _caller(
    parts: Parts, token: reading.Found, rows: Sequence[reading.Found], operator: bool,
    name: str | None,
) -> CallerShown:  # fmt: skip
    is_key = token.organization_id is not None
    here = [r for r in rows if r.organization_id == token.organization_id] if is_key else rows
    if is_key and not here:
        raise CredentialInvalid("unknown, expired or revoked")
    scopes = frozenset(token.scopes) if is_key else None
    standing = await Standing.of(parts, list(here), name, scopes)
    return CallerShown(
        actor=token.id if is_key else token.person_id,
        person_id=None if is_key else token.person_id,
        key_id=token.id if is_key else None,
        session_id=None if is_key else token.id,
        organizations=standing.all, organization=standing.chosen,
        role=standing.chosen.role if standing.chosen else None,
        permissions=standing.permissions, expires_at=token.expires_at,
        instance_operator=operator and not is_key,
    )  # fmt: skip


async def _me(parts: Parts, meta: Meta) -> MeShown:
    """What the gateway found out about the caller, with name and address of a person."""
    is_key = meta.actor.startswith("key_")
    database, chosen, person_id = parts.service.database, meta.organization, meta.actor
    if is_key:
        async with database.read(chosen) as db:
            key = await reading.api_key(db, chosen, meta.actor)
        person_id = key.created_by if key else ""
    async with database.read(person_id) as db:
        row = await reading.profile(db, person_id)
        rows = await reading.memberships_of(db, person_id)
    if row is None:
        raise CredentialInvalid("unknown, expired or revoked")
    async with database.work() as db:
        operator = await reading.operator(db) == person_id and not is_key
    here = [r for r in rows if not is_key or r.organization_id == chosen]
    name = None if chosen == "instance" else chosen
    standing = await Standing.of(parts, here, name, meta.permissions if is_key else None)
    return MeShown(
        person=None if is_key else await _shown(parts, row),
        api_key=meta.actor if is_key else None, organizations=standing.all,
        organization=standing.chosen, role=standing.chosen.role if standing.chosen else None,
        permissions=standing.permissions, instance_operator=operator,
    )  # fmt: skip


async def _shown(parts: Parts, row: reading.Found) -> PersonShown:
    return PersonShown(
        id=row.org, name=await opened_profile(parts, row.org, row.name),
        email=await opened_profile(parts, row.org, row.email), policies=row.policies,
        created_at=row.created_at,
    )  # fmt: skip
