"""What callers ask of the executor: executions, timelines, data, the ledger, cancel, resend."""

from typing import Any

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.decider import Decider
from libs.common.errors import NotFound
from libs.common.eventstore import rows, stream_of
from libs.common.messages import Event, Meta, Recorded
from libs.common.pages import Page, page_of
from services.executor import views
from services.executor.commit import Decision
from services.executor.connectors.catalog import CATALOG
from services.executor.connectors.connector import Connector
from services.executor.contract import (
    SERVICE,
    CallData,
    CallResent,
    CallResentShown,
    CallShown,
    CancelExecution,
    ConnectorCard,
    ExecutionShown,
    FindCall,
    FindCalls,
    FindExecution,
    FindExecutions,
    FindTimeline,
    ListConnectors,
    NothingToResend,
    OpenCall,
    OpenData,
    RecordCall,
    ResendCall,
    TriggerCallRefused,
    TriggerCallUnmatched,
)  # fmt: skip
from services.executor.data import open_data
from services.executor.domain import Cancel, execution
from services.executor.engine import Engine
from services.executor.resend import resend
from services.executor.start import Starts
from services.executor.summary import Summary, shown, summary_of
from services.executor.timeline import entries

CANCEL_SUBJECT = "executor.relay.signal"


def router(engine: Engine, starts: Starts) -> NatsRouter:
    r = NatsRouter()
    _executions(r, engine)
    _calls(r, engine, starts)
    return r


def _executions(r: NatsRouter, engine: Engine) -> None:
    database = engine.service.database

    @r.subscriber(FindExecutions.type, queue=SERVICE)
    async def find_executions(query: FindExecutions, meta: CausedBy) -> NatsResponse:
        async with database.read(meta.organization) as connection:
            found = await views.find_executions(connection, query)
        as_shown = [shown(Summary(**_summary(row)), row.held) for row in found]
        place = lambda row: (row.started_at, row.execution)  # noqa: E731 - local
        return reply(page_of(found, query, place, as_shown))

    @r.subscriber(FindExecution.type, queue=SERVICE)
    async def find_execution(query: FindExecution, meta: CausedBy) -> NatsResponse:
        events = await history(engine, meta, query.execution_id)
        return reply(await _shown(engine, meta, events), len(events))

    @r.subscriber(FindTimeline.type, queue=SERVICE)
    async def find_timeline(query: FindTimeline, meta: CausedBy) -> NatsResponse:
        found = entries(await history(engine, meta, query.execution_id))
        if query.order == "desc":
            found.reverse()
        at = int(query.after or 0)
        data = found[at : at + query.limit]
        more = str(at + query.limit) if at + query.limit < len(found) else None
        return reply(Page(data=data, next=more))

    @r.subscriber(OpenData.type, queue=SERVICE)
    async def open_execution_data(query: OpenData, meta: CausedBy) -> NatsResponse:
        events = await history(engine, meta, query.execution_id)
        key = await engine.service.keys.key(meta.organization, "executions")
        return reply(open_data(query, events, key))

    @r.subscriber(CancelExecution.type, queue=SERVICE)
    async def cancel_execution(command: CancelExecution, meta: CausedBy) -> NatsResponse:
        return await cancel(engine, command, meta)

    @r.subscriber(ListConnectors.type, queue=SERVICE)
    async def list_connectors(query: ListConnectors) -> NatsResponse:
        cards = [card(c) for c in CATALOG.values() if query.connector in (None, c.type)]
        return reply(Page(data=cards))


def _calls(r: NatsRouter, engine: Engine, starts: Starts) -> None:
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
        headers, body = await call_data(engine, meta, await _call(engine, meta, query.call_id))
        return reply(CallData(id=query.call_id, headers=headers, body=body))

    @r.subscriber(ResendCall.type, queue=SERVICE)
    async def resend_call(command: ResendCall, meta: CausedBy) -> NatsResponse:
        if (before := await engine.service.answered_before(meta)) is not None:
            return before
        row = await _call(engine, meta, command.call_id)
        if row.body is None and row.execution is None:
            raise NothingToResend("what came was not kept, because its signature was wrong")
        headers, body = await call_data(engine, meta, row)
        execution_id = await resend(starts, meta, row, headers, body)
        fact = CallResent(call_id=command.call_id, execution_id=execution_id)
        stream = stream_of("call", meta.organization, command.call_id)
        shown = CallResentShown(call=command.call_id, execution=execution_id)
        return await engine.service.decide(
            NOTED, stream, [fact], meta, answer=lambda state, version: shown
        )


# Records facts and the answer of a command that was carried out; doing that twice does no harm.
NOTED: Decider[list[Event], None] = Decider(None, lambda facts, _: facts, lambda state, _: state)


async def history(engine: Engine, meta: Meta, execution_id: str) -> list[Recorded]:
    """The events of an execution of the caller's organization, or NotFound."""
    found = await engine.store.load(stream_of("execution", meta.organization, execution_id))
    if not found:
        raise NotFound()
    return found


async def _shown(engine: Engine, meta: Meta, events: list[Recorded]) -> ExecutionShown:
    summary = summary_of(events)
    if summary is None:
        raise NotFound()
    held = False
    if summary.outcome is None:
        async with engine.service.database.read(meta.organization) as connection:
            held = await views.is_held(connection, summary.execution)
    return shown(summary, held)


async def cancel(engine: Engine, command: CancelExecution, meta: Meta) -> NatsResponse:
    """Asks for the end; whoever runs it hears at once, and a parked one is woken."""
    stream = stream_of("execution", meta.organization, command.execution_id)
    sealed = None
    if command.reason is not None:
        key = await engine.service.keys.key(meta.organization, "executions")
        sealed = key.seal(command.reason, stream)
    wish = Cancel(command.rollback, sealed)
    if (before := await engine.service.answered_before(meta)) is not None:
        return before
    while True:
        events = await history(engine, meta, command.execution_id)
        state = execution.fold([e.event() for e in events])
        decided = execution.decide(wish, state)
        if not decided:
            break
        made = await engine.committer.commit(
            Decision(
                stream, command.execution_id, meta.organization,
                rows(stream, len(events) + 1, decided, meta), op="wake",
            )
        )  # fmt: skip
        if made.status == "won":
            await engine.bus.nc.publish(CANCEL_SUBJECT, command.execution_id.encode())
            engine.leases.wake.set()
            break
    shown = await _shown(engine, meta, await history(engine, meta, command.execution_id))
    return await engine.service.decide(NOTED, stream, [], meta, answer=lambda state, version: shown)


async def call_data(engine: Engine, meta: Meta, row: Any) -> tuple[Any, Any]:
    """Headers and body of a call as they came, opened."""
    org = meta.organization
    key = await engine.service.keys.key(org, "executions")
    if row.execution is not None:
        stream = stream_of("execution", org, row.execution)
        first = (await engine.store.load(stream))[0].json()
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


def _summary(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row._mapping.items() if name != "held"}


def card(connector: Connector) -> ConnectorCard:
    return ConnectorCard(
        type=connector.type, version=connector.version, title=connector.title,
        effect=connector.effect, inputs=connector.inputs.model_json_schema(),
        outputs=connector.outputs.model_json_schema(),
    )  # fmt: skip
