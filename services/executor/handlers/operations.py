"""Operations as who asked for them sees them."""

from typing import Any

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy, reply
from libs.common.errors import Forbidden, NotFound
from libs.common.eventstore import stream_of
from libs.common.messages import Event, Meta
from libs.common.pages import page_of, seek
from services.executor.contract import (
    SERVICE,
    CancelOperation,
    FindOperation,
    FindOperationResult,
    FindOperations,
    OperationStopped,
    PieceShown,
)
from services.executor.looking import result_opened
from services.executor.noted import NOTED
from services.executor.operation_tables import operations, pieces
from services.executor.operations import PURPOSE, Operations, shown

PAGE_BYTES_MAX = 1_000_000


async def _places(
    db: AsyncConnection, query: FindOperationResult, operation: str
) -> tuple[list[tuple[int, str]], int]:
    """Where the next pieces are, and how many of them make a page: fewer when they are large."""
    p = pieces.c
    size_of = func.coalesce(func.pg_column_size(p.value), 0).label("size")
    sizes: Any = select(p.n, p.operation, size_of).where(p.operation == operation)
    mine = seek(sizes, query, p.n, p.operation)
    found = (await db.execute(mine)).all()
    most, size = 0, 0
    for row in found[: query.limit]:
        size += row.size
        if most and size > PAGE_BYTES_MAX:
            break
        most += 1
    return [(row.n, row.operation) for row in found], most


def register(r: NatsRouter, running: Operations) -> None:
    service = running.service
    t = operations.c

    async def own(operation: str, meta: Meta) -> Any:
        """The caller's own; another one's looks like none."""
        async with service.database.read(meta.organization) as db:
            row = (await db.execute(select(operations).where(t.id == operation))).first()
        if row is None or row.actor != meta.actor:
            raise NotFound()
        needed = running.kinds[row.kind].permission
        if needed not in meta.permissions:
            raise Forbidden(f"this needs {needed}", permission=needed)
        return row

    @r.subscriber(FindOperations.type, queue=SERVICE)
    async def find_operations(query: FindOperations, meta: CausedBy) -> NatsResponse:
        statement = select(operations).where(t.actor == meta.actor)
        for chosen, column in ((query.kind, t.kind), (query.status, t.status)):
            if chosen:
                statement = statement.where(column.in_(chosen))
        async with service.database.read(meta.organization) as db:
            found = (await db.execute(seek(statement, query, t.created_at, t.id))).all()
        place = lambda row: (row.created_at, row.id)  # noqa: E731 - local
        return reply(page_of(found, query, place, [shown(row) for row in found]))

    @r.subscriber(FindOperation.type, queue=SERVICE)
    async def find_operation(query: FindOperation, meta: CausedBy) -> NatsResponse:
        return reply(shown(await own(query.operation_id, meta)))

    @r.subscriber(FindOperationResult.type, queue=SERVICE)
    async def find_operation_result(query: FindOperationResult, meta: CausedBy) -> NatsResponse:
        row = await own(query.operation_id, meta)
        key = await service.keys.key(meta.organization, PURPOSE)
        stream = stream_of("operation", row.org, row.id)
        async with service.database.read(meta.organization) as db:
            places, most = await _places(db, query, row.id)
            values = select(pieces).where(
                pieces.c.operation == row.id, pieces.c.n.in_([n for n, _ in places[:most]])
            )
            found = {one.n: one for one in await db.execute(values)}
        as_shown = [
            PieceShown(
                item=one.item, outcome=one.outcome, code=one.code, made=one.made,
                value=key.open(one.value, stream) if one.value is not None else None,
            ) for one in (found[n] for n, _ in places[:most])
        ]  # fmt: skip
        if any(one.value is not None for one in as_shown):
            result_opened(running.engine, row.id, running.kinds[row.kind].permission, meta)
        taken = query.model_copy(update={"limit": max(most, 1)})
        return reply(page_of(places, taken, lambda place: place, as_shown))

    @r.subscriber(CancelOperation.type, queue=SERVICE)
    async def cancel_operation(command: CancelOperation, meta: CausedBy) -> NatsResponse:
        if (before := await service.answered_before(meta)) is not None:
            return before
        row = await own(command.operation_id, meta)
        facts: list[Event] = []
        if row.ended_at is None:
            await running.stop(row.id)
            facts = [OperationStopped(operation_id=row.id, kind=row.kind)]
        answer = shown(await own(command.operation_id, meta))
        stream = stream_of("operation", row.org, row.id)
        return await service.decide(
            NOTED, stream, facts, meta, answer=lambda state, version: answer
        )
