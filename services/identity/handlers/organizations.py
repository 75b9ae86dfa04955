"""Organizations: found one, list one's own, show one, resolve a name."""

from collections.abc import Mapping
from dataclasses import dataclass

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.eventstore import append_within
from libs.common.messages import Meta
from libs.common.pages import page_of
from services.identity import reading, tables
from services.identity.contract import (
    SERVICE,
    FindOrganization,
    FindOrganizations,
    FoundOrganization,
    MyOrganizationShown,
    OrganizationExists,
    OrganizationFounded,
    OrganizationResolved,
    OrganizationShown,
    ResolveOrganization,
)
from services.identity.domain.organization import Found, organization
from services.identity.parts import (
    ORGANIZATION_PURPOSES,
    Parts,
    a_person,
    acting,
    key_facts,
    keys_stream,
    new_id,
    now,
    only_services,
    opened_content,
    organization_stream,
)

NEVER = frozenset({"instance", "system"})


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()
    service = parts.service

    @r.subscriber(FoundOrganization.type, queue=SERVICE)
    async def found_organization(command: FoundOrganization, meta: CausedBy) -> NatsResponse:
        organization_id = new_id("org", acting(meta, "instance"))
        new = await founding(parts, command, organization_id, a_person(meta))
        mine = acting(meta, new.fact.organization_id)

        async def beside(db: AsyncConnection) -> None:
            await keep_founding(db, new, mine)

        return await service.decide(
            organization, organization_stream(new.fact.organization_id), Found(new.fact), mine,
            answer=lambda _, version: new.shown, beside=beside,
        )  # fmt: skip

    @r.subscriber(FindOrganizations.type, queue=SERVICE)
    async def find_organizations(query: FindOrganizations, meta: CausedBy) -> NatsResponse:
        me = a_person(meta)
        async with service.database.read(me) as db:
            found = await reading.memberships_page(db, me, query)
        shown = [await show_membership(parts, row) for row in found]
        return reply(page_of(found, query, lambda r: (r.added_at, r.organization_id), shown))

    @r.subscriber(FindOrganization.type, queue=SERVICE)
    async def find_organization(query: FindOrganization, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as db:
            row = await reading.organization(db, meta.organization)
        if row is None or query.organization not in (row.org, row.slug):
            raise NotFound
        shown = OrganizationShown(
            id=row.org, slug=row.slug, name=await opened_content(parts, row.org, row.name),
            founded_at=row.founded_at, created_by=row.created_by,
        )  # fmt: skip
        return reply(shown, row.version)

    @r.subscriber(ResolveOrganization.type, queue=SERVICE)
    async def resolve_organization(query: ResolveOrganization, meta: CausedBy) -> NatsResponse:
        only_services(meta)
        async with service.database.work() as db:
            row = await reading.organization_named(db, query.name)
        if row is None:
            raise NotFound
        return reply(OrganizationResolved(id=row.organization_id, slug=row.slug))

    return r


@dataclass(frozen=True, slots=True)
class Founding:
    """An organization about to be recorded: the fact, its keys, and the answer."""

    fact: OrganizationFounded
    kids: Mapping[str, str]
    shown: OrganizationShown


async def founding(
    parts: Parts, command: FoundOrganization, organization_id: str, owner: str
) -> Founding:
    """Refuses a short name that is taken before keys are made."""
    slug = command.slug or slug_of(organization_id)
    async with parts.service.database.work() as db:
        holder = await reading.organization_named(db, slug)
    if slug in NEVER or (holder is not None and holder.organization_id != organization_id):
        raise OrganizationExists(f"{slug} is taken")
    kids = await parts.keystore.ensure(organization_id, ORGANIZATION_PURPOSES)
    name = await parts.service.keys.seal(
        organization_id, "content", organization_stream(organization_id), command.name
    )
    fact = OrganizationFounded(
        organization_id=organization_id, name=name, slug=slug, owner_id=owner, founded_at=now()
    )
    shown = OrganizationShown(
        id=organization_id, slug=slug, name=command.name, founded_at=fact.founded_at,
        created_by=owner,
    )  # fmt: skip
    return Founding(fact, kids, shown)


async def keep_founding(db: AsyncConnection, new: Founding, meta: Meta) -> None:
    """Takes the short name, says which keys were made."""
    org, slug = new.fact.organization_id, new.fact.slug
    taken = insert(tables.slugs).on_conflict_do_nothing()
    await db.execute(taken.values(slug=slug, organization_id=org))
    holder = await reading.organization_named(db, slug)
    if holder is None or holder.organization_id != org:
        raise OrganizationExists(f"{slug} is taken")
    await append_within(db, keys_stream(org), key_facts(org, new.kids), meta)


def slug_of(organization_id: str) -> str:
    """Not from the name: that one is sealed, and a short name stands in addresses and logs."""
    return f"team-{organization_id[-10:]}"


async def show_membership(parts: Parts, row: reading.Found) -> MyOrganizationShown:
    return MyOrganizationShown(
        id=row.organization_id, slug=row.slug, role=row.role,
        name=await opened_content(parts, row.organization_id, row.name),
    )  # fmt: skip
