"""API keys: made within what their creator may, shown once, revoked at once."""

from collections.abc import Callable

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.messages import Meta
from libs.common.pages import page_of
from services.identity import reading, tables
from services.identity.contract import (
    ALL_API_KEYS,
    SERVICE,
    ApiKeyCreated,
    ApiKeyShown,
    CreateApiKey,
    FindApiKeys,
    FindKeyCreator,
    KeyCreatorFound,
    RevokeApiKey,
    Role,
)
from services.identity.domain.organization import (
    CreateKey,
    Organization,
    RevokeKey,
    organization,
    person_behind,
)
from services.identity.handlers.members import caller
from services.identity.parts import Parts, new_id, now, opened_content, organization_stream
from services.identity.tokens import digest_of, new_token


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()
    service = parts.service

    @r.subscriber(FindApiKeys.type, queue=SERVICE)
    async def find_api_keys(query: FindApiKeys, meta: CausedBy) -> NatsResponse:
        org = meta.organization
        async with service.database.read(org) as db:
            found = await reading.api_keys_page(db, org, query, await _only_of(db, meta))
        shown = [await _shown(parts, row) for row in found]
        return reply(page_of(found, query, lambda r: (r.created_at, r.key_id), shown))

    @r.subscriber(FindKeyCreator.type, queue=SERVICE)
    async def find_key_creator(query: FindKeyCreator, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as db:
            row = await reading.api_key(db, meta.organization, query.key)
        if row is None:
            raise NotFound
        return reply(KeyCreatorFound(person=row.created_by))

    @r.subscriber(CreateApiKey.type, queue=SERVICE)
    async def create_api_key(command: CreateApiKey, meta: CausedBy) -> NatsResponse:
        org, key_id, token = meta.organization, new_id("key", meta), new_token("api-key")
        stream = organization_stream(org)
        name = await service.keys.seal(org, "content", stream, command.name)
        change = CreateKey(caller(meta), key_id, name, command.scopes, command.expires_at, now())
        state, _, _ = await service.store.state(organization, stream)
        creator = person_behind(meta.actor, state)

        async def beside(db: AsyncConnection) -> None:
            await db.execute(insert(tables.tokens).values(
                digest=digest_of(token), id=key_id, person_id=creator, organization_id=org,
                scopes=sorted(set(command.scopes)), expires_at=command.expires_at,
            ).on_conflict_do_nothing())  # fmt: skip

        return await service.decide(
            organization, stream, change, meta, answer=_made(key_id, command.name),
            reveal={"token": token}, beside=beside,
        )  # fmt: skip

    @r.subscriber(RevokeApiKey.type, queue=SERVICE)
    async def revoke_api_key(command: RevokeApiKey, meta: CausedBy) -> NatsResponse:
        org = meta.organization
        async with service.database.read(org) as db:
            row = await reading.api_key(db, org, command.key)
        name = await opened_content(parts, org, row.name if row else None)

        async def beside(db: AsyncConnection) -> None:
            await db.execute(delete(tables.tokens).where(
                tables.tokens.c.id == command.key, tables.tokens.c.organization_id == org
            ))  # fmt: skip

        return await service.decide(
            organization, organization_stream(org), RevokeKey(caller(meta), command.key, now()),
            meta, answer=_made(command.key, name), beside=beside,
        )  # fmt: skip

    return r


async def _only_of(db: AsyncConnection, meta: Meta) -> str | None:
    """Whose keys the caller sees: None means everybody's."""
    person_id = meta.actor
    if meta.actor.startswith("key_"):
        key = await reading.api_key(db, meta.organization, meta.actor)
        person_id = key.created_by if key else ""
    row = await reading.member(db, meta.organization, person_id)
    if row is None:
        raise NotFound
    return None if Role(row.role) in ALL_API_KEYS else person_id


def _made(key_id: str, name: str) -> Callable[[Organization, int], ApiKeyShown]:
    """Shows a key from the organization's state."""

    def show(state: Organization, _: int) -> ApiKeyShown:
        key: ApiKeyCreated = state.keys[key_id]
        return ApiKeyShown(
            id=key_id, name=name, scopes=key.scopes, created_by=key.created_by,
            created_at=key.created_at, expires_at=key.expires_at, last_used_at=None,
            revoked_at=state.revoked.get(key_id),
        )  # fmt: skip

    return show


async def _shown(parts: Parts, row: reading.Found) -> ApiKeyShown:
    return ApiKeyShown(
        id=row.key_id, name=await opened_content(parts, row.org, row.name), scopes=row.scopes,
        created_by=row.created_by, created_at=row.created_at, expires_at=row.expires_at,
        last_used_at=row.last_used_at, revoked_at=row.revoked_at,
    )  # fmt: skip
