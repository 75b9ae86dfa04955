"""What other services ask: the door for a hook, the executor for a document and for secrets."""

from typing import Any

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.messages import Meta
from libs.common.service import Service
from services.workflows.contract import (
    SERVICE,
    FindHook,
    FindTrigger,
    HookFound,
    OpenSecrets,
    SecretOpened,
    SecretsOpened,
)
from services.workflows.handlers import preparing
from services.workflows.views import queries, show


def register(r: NatsRouter, service: Service) -> None:
    @r.subscriber(FindHook.type, queue=SERVICE)
    async def find_hook(query: FindHook, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as db:
            row = await queries.hook(db, query.path)
        if row is None:
            return reply(HookFound(path=query.path, reason="no-such-path"))
        return reply(show.hook_found(row))

    @r.subscriber(FindTrigger.type, queue=SERVICE)
    async def find_trigger(query: FindTrigger, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as db:
            workflow_id = await workflow_of(db, meta, query)
            row = workflow_id and await queries.workflow(db, workflow_id)
            if not row or row.published is None:
                raise NotFound()
            version = await queries.version(db, row.workflow_id, query.version or row.published)
        if version is None:
            raise NotFound()
        return reply(show.trigger_found(row, version))

    @r.subscriber(OpenSecrets.type, queue=SERVICE)
    async def open_secrets(query: OpenSecrets, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as db:
            rows = await queries.secret_values(db, query.names)
        return reply(SecretsOpened(secrets=[opened(row) for row in rows]))


async def workflow_of(db: AsyncConnection, meta: Meta, query: FindTrigger) -> str | None:
    if query.path is not None:
        hook = await queries.hook(db, query.path)
        return hook and hook.workflow_id
    return query.workflow and preparing.resolve(meta, query.workflow)


def opened(row: Any) -> SecretOpened:
    return SecretOpened(name=row.name, secret_version=row.version, value=row.value)
