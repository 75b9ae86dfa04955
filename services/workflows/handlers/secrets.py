"""Secrets: they go in and never come out."""

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy, reply
from libs.common.errors import FieldProblem, InvalidInput
from libs.common.pages import page_of
from libs.common.service import Service
from services.workflows.contract import (
    SECRET_BYTES_MAX,
    SERVICE,
    DeleteSecret,
    Done,
    FindSecrets,
    SecretShown,
    StoreSecret,
    secret_stream,
)
from services.workflows.domain.values import Delete, Store, Value, secret
from services.workflows.handlers.preparing import now
from services.workflows.views import beside, queries, show


def register(r: NatsRouter, service: Service) -> None:
    @r.subscriber(StoreSecret.type, queue=SERVICE)
    async def store_secret(command: StoreSecret, meta: CausedBy) -> NatsResponse:
        check_size(command.value)
        org, stream = meta.organization, secret_stream(meta.organization, command.name)
        sealed = await service.keys.seal(org, "secrets", stream, command.value)

        async def keep(db: AsyncConnection) -> None:
            await beside.keep_secret(db, org, command.name, sealed)

        def answer(state: Value, _: int) -> SecretShown:
            assert state.created_at
            assert state.changed_at
            return SecretShown(
                name=command.name, version=state.version, created_at=state.created_at,
                stored_at=state.changed_at,
            )  # fmt: skip

        store = Store(command.name, now())
        return await service.decide(secret, stream, store, meta, answer=answer, beside=keep)

    @r.subscriber(DeleteSecret.type, queue=SERVICE)
    async def delete_secret(command: DeleteSecret, meta: CausedBy) -> NatsResponse:
        async def drop(db: AsyncConnection) -> None:
            await beside.drop_secret(db, meta.organization, command.name)

        return await service.decide(
            secret, secret_stream(meta.organization, command.name), Delete(command.name), meta,
            answer=lambda _, __: Done(), beside=drop,
        )  # fmt: skip

    @r.subscriber(FindSecrets.type, queue=SERVICE)
    async def find_secrets(query: FindSecrets, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as db:
            rows = await queries.secrets(db, query)
        found = [show.secret_shown(row) for row in rows]
        return reply(page_of(rows, query, lambda row: (row.created_at, row.name), found))


def check_size(value: str) -> None:
    size = len(value.encode())
    if 0 < size <= SECRET_BYTES_MAX:
        return
    rule = "too-large" if size else "empty"
    detail = f"a secret has 1 to {SECRET_BYTES_MAX} bytes, not {size}"
    raise InvalidInput(detail, errors=[FieldProblem(pointer="/value", rule=rule, detail=detail)])
