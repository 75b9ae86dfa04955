"""What a caller does with executions: cancel, pause, resume; one, or all of a filter."""

from collections.abc import Awaitable, Callable
from typing import Any

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy import ColumnElement, and_, not_

from libs.common.bus import CausedBy, reply
from libs.common.errors import FieldProblem, InvalidInput
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from services.executor import searching
from services.executor.contract import (
    SERVICE,
    CancelExecution,
    CancelExecutions,
    CountShown,
    PauseExecution,
    PauseExecutions,
    ResumeExecution,
    ResumeExecutions,
)  # fmt: skip
from services.executor.domain import Cancel, Command, Pause, Resume
from services.executor.engine import Engine
from services.executor.file_values import referred_by
from services.executor.handlers.executions import show
from services.executor.noted import NOTED
from services.executor.operations import ITEMS_MAX, Kind, Operations, Piece
from services.executor.signals import history, signal
from services.executor.views import executions
from services.executor.work import PURPOSE

LIVE = executions.c.outcome.is_(None)
Bulk = CancelExecutions | PauseExecutions | ResumeExecutions
# What a bulk command is about, besides its filter: those that it would change.
ONLY: dict[type[Bulk], ColumnElement[bool]] = {
    CancelExecutions: LIVE,
    PauseExecutions: and_(LIVE, not_(executions.c.paused)),
    ResumeExecutions: and_(LIVE, executions.c.paused),
}


def register(r: NatsRouter, engine: Engine, running: Operations) -> None:
    @r.subscriber(CancelExecution.type, queue=SERVICE)
    async def cancel_execution(command: CancelExecution, meta: CausedBy) -> NatsResponse:
        """Whoever runs it hears at once, and a parked one is woken."""
        reason = await sealed(engine, meta, command.execution_id, command.reason)
        return await control(engine, command.execution_id, Cancel(command.rollback, reason), meta)

    @r.subscriber(PauseExecution.type, queue=SERVICE)
    async def pause_execution(command: PauseExecution, meta: CausedBy) -> NatsResponse:
        reason = await sealed(engine, meta, command.execution_id, command.reason)
        return await control(engine, command.execution_id, Pause(reason), meta)

    @r.subscriber(ResumeExecution.type, queue=SERVICE)
    async def resume_execution(command: ResumeExecution, meta: CausedBy) -> NatsResponse:
        if command.value is not None and command.decision != "accept":
            problem = FieldProblem(
                pointer="/value", rule="only-with-accept", detail="a value is what is accepted"
            )
            raise InvalidInput("a value goes with the decision accept only", errors=[problem])
        value = None
        if command.decision == "accept":
            value = await sealed(engine, meta, command.execution_id, command.value, always=True)
        return await control(engine, command.execution_id, Resume(command.decision, value), meta)

    @r.subscriber(CancelExecutions.type, queue=SERVICE)
    async def cancel_executions(command: CancelExecutions, meta: CausedBy) -> NatsResponse:
        return await _bulk(engine, running, "cancel-executions", command, meta)

    @r.subscriber(PauseExecutions.type, queue=SERVICE)
    async def pause_executions(command: PauseExecutions, meta: CausedBy) -> NatsResponse:
        return await _bulk(engine, running, "pause-executions", command, meta)

    @r.subscriber(ResumeExecutions.type, queue=SERVICE)
    async def resume_executions(command: ResumeExecutions, meta: CausedBy) -> NatsResponse:
        return await _bulk(engine, running, "resume-executions", command, meta)

    for name, made in KINDS.items():
        running.register(Kind(name, "executions:control", _each(engine, made)))


async def sealed(
    engine: Engine, meta: Meta, execution: str, value: Any, *, always: bool = False
) -> str | None:
    """The value as the execution's stream keeps it; None for None unless that is the value."""
    if value is None and not always:
        return None
    if (store := engine.calling.files) is not None:
        await store.refer(meta.organization, execution, referred_by(value), all_there=True)
    key = await engine.service.keys.key(meta.organization, PURPOSE)
    return key.seal(value, stream_of("execution", meta.organization, execution))


async def control(engine: Engine, execution: str, wish: Command, meta: Meta) -> NatsResponse:
    """Says it once per command; answers with the execution as it is then."""
    if (before := await engine.service.answered_before(meta)) is not None:
        return before
    await signal(engine, execution, wish, meta)
    shown = await show(engine, meta, await history(engine, meta, execution))
    stream = stream_of("execution", meta.organization, execution)
    return await engine.service.decide(NOTED, stream, [], meta, answer=lambda state, version: shown)


# -- all of a filter -------------------------------------------------------------------------------


async def _bulk(
    engine: Engine, running: Operations, kind: str, command: Bulk, meta: Meta
) -> NatsResponse:
    if (before := await engine.service.answered_before(meta)) is not None:
        return before
    only = ONLY[type(command)]
    found = await searching.names(engine, command.filter, meta, only, ITEMS_MAX + 1)
    if command.dry_run:
        return reply(CountShown(count=len(found)))
    return await running.begin(kind, command.model_dump(mode="json"), found, meta)


Make = Callable[[dict[str, Any], str | None], Command]
KINDS: dict[str, Make] = {
    "cancel-executions": lambda ask, reason: Cancel(ask["rollback"], reason),
    "pause-executions": lambda ask, reason: Pause(reason),
    "resume-executions": lambda ask, reason: Resume(ask["decision"], None),
}


def _each(engine: Engine, make: Make) -> Callable[[Piece], Awaitable[None]]:
    async def each(piece: Piece) -> None:
        reason = await sealed(engine, piece.meta, piece.item, piece.ask.get("reason"))
        await signal(engine, piece.item, make(piece.ask, reason), piece.meta)

    return each
