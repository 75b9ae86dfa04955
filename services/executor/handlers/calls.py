"""The ledger of trigger calls: what came, what became of it, and sending it through again."""

from typing import Any

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from libs.common.pages import page_of
from services.executor import views
from services.executor.contract import (
    SERVICE,
    CallData,
    CallResent,
    CallResentShown,
    CallShown,
    CountShown,
    FindCall,
    FindCalls,
    NothingToResend,
    OpenCall,
    RecordCall,
    ResendCall,
    ResendCalls,
    TriggerCallRefused,
    TriggerCallUnmatched,
)  # fmt: skip
from services.executor.engine import Engine
from services.executor.looking import call_opened, execution_opened
from services.executor.noted import NOTED
from services.executor.operations import ITEMS_MAX, Kind, Made, Operations, Piece
from services.executor.resend import resend
from services.executor.signals import history
from services.executor.start import Starts


def register(r: NatsRouter, engine: Engine, starts: Starts, running: Operations) -> None:
    database = engine.service.database

    @r.subscriber(RecordCall.type, queue=SERVICE)
    async def record_call(command: RecordCall, meta: CausedBy) -> NatsResponse:
        stream = stream_of("call", meta.organization, command.call_id)
        await engine.store.note(stream, [_call_fact(command)], meta)
        return reply({})

    @r.subscriber(FindCalls.type, queue=SERVICE)
    async def find_calls(query: FindCalls, meta: CausedBy) -> NatsResponse:
        async with database.read(meta.organization) as connection:
            found = await views.find_calls(connection, query)
        place = lambda row: (row.called_at, row.call)  # noqa: E731 - local
        return reply(page_of(found, query, place, [_call_shown(row) for row in found]))

    @r.subscriber(FindCall.type, queue=SERVICE)
    async def find_call(query: FindCall, meta: CausedBy) -> NatsResponse:
        return reply(_call_shown(await _call(engine, meta, query.call_id)))

    @r.subscriber(OpenCall.type, queue=SERVICE)
    async def open_call(query: OpenCall, meta: CausedBy) -> NatsResponse:
        row = await _call(engine, meta, query.call_id)
        headers, body = await call_data(engine, meta, row)
        if row.execution is not None:
            execution_opened(engine, row.execution, "call", meta)
        else:
            call_opened(engine, query.call_id, meta)
        return reply(CallData(id=query.call_id, headers=headers, body=body))

    @r.subscriber(ResendCall.type, queue=SERVICE)
    async def resend_call(command: ResendCall, meta: CausedBy) -> NatsResponse:
        if (before := await engine.service.answered_before(meta)) is not None:
            return before
        shown = await again(engine, starts, command.call_id, meta)
        stream = stream_of("call", meta.organization, command.call_id)
        fact = CallResent(call_id=command.call_id, execution_id=shown.execution)
        return await engine.service.decide(
            NOTED, stream, [fact], meta, answer=lambda state, version: shown
        )

    async def each(piece: Piece) -> Made:
        """As one call by itself; when it was sent before a crash, the same start answers."""
        row = await _call(engine, piece.meta, piece.item)
        if row.resent_as is not None:
            return Made(row.resent_as)
        shown = await again(engine, starts, piece.item, piece.meta)
        fact = CallResent(call_id=piece.item, execution_id=shown.execution)
        stream = stream_of("call", piece.meta.organization, piece.item)
        await engine.store.note(stream, [fact], piece.meta)
        return Made(shown.execution)

    running.register(Kind("resend-calls", "triggers:resend", each))

    @r.subscriber(ResendCalls.type, queue=SERVICE)
    async def resend_calls(command: ResendCalls, meta: CausedBy) -> NatsResponse:
        if (before := await engine.service.answered_before(meta)) is not None:
            return before
        async with database.read(meta.organization) as connection:
            found = await views.names_of_calls(connection, command.filter, ITEMS_MAX + 1)
        if command.dry_run:
            return reply(CountShown(count=len(found)))
        return await running.begin("resend-calls", {}, found, meta)


async def again(engine: Engine, starts: Starts, call_id: str, meta: Meta) -> CallResentShown:
    """The call through routing again. Raises NothingToResend, and what the start is refused."""
    row = await _call(engine, meta, call_id)
    if row.body is None and row.execution is None:
        raise NothingToResend("what came was not kept, because its signature was wrong")
    headers, body = await call_data(engine, meta, row)
    execution_id = await resend(starts, meta, row, headers, body)
    return CallResentShown(call=call_id, execution=execution_id)


async def call_data(engine: Engine, meta: Meta, row: Any) -> tuple[Any, Any]:
    """Headers and body of a call as they came, opened."""
    org = meta.organization
    key = await engine.service.keys.key(org, "executions")
    if row.execution is not None:
        stream = stream_of("execution", org, row.execution)
        first = (await history(engine, meta, row.execution))[0].json()
        names = key.open(first["input"], stream)
        return names["trigger"].get("headers", {}), names["input"]
    stream = stream_of("call", org, row.call)
    body = key.open(row.body, stream) if row.body else None
    if row.headers is not None:
        return key.open(row.headers, stream), body
    if isinstance(body, dict) and body.keys() & {"body", "input"}:
        return body.get("headers", {}), body.get("body", body.get("input"))
    return {}, body


async def _call(engine: Engine, meta: Meta, call_id: str) -> Any:
    async with engine.service.database.read(meta.organization) as connection:
        row = await views.find_call(connection, call_id)
    if row is None:
        raise NotFound()
    return row


def _call_fact(command: RecordCall) -> TriggerCallUnmatched | TriggerCallRefused:
    if command.outcome == "unmatched":
        return TriggerCallUnmatched(
            call_id=command.call_id, kind="webhook", path=command.path,
            reason=command.reason,  # pyright: ignore[reportArgumentType] - pydantic checks the word
            headers=command.headers, body=command.body, bytes=command.bytes,
        )  # fmt: skip
    return TriggerCallRefused(
        call_id=command.call_id, kind="webhook", path=command.path,
        workflow_id=command.workflow_id, reason=command.reason, errors=[], body=command.body,
    )  # fmt: skip


def _call_shown(row: Any) -> CallShown:
    return CallShown(
        id=row.call, kind=row.kind, path=row.path, outcome=row.outcome, reason=row.reason,
        workflow=row.workflow, execution=row.execution, errors=row.errors, size_bytes=row.bytes,
        resent_as=row.resent_as, called_at=row.called_at,
    )  # fmt: skip
