"""Executions that are done again from a step, or go on with another version."""

from collections.abc import Awaitable, Callable
from typing import Any

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy import true

from libs.common.bus import CausedBy, reply
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from services.executor import searching
from services.executor.comparing import compare
from services.executor.contract import (
    SERVICE,
    CompareExecutions,
    CountShown,
    MigrateExecution,
    ReplayExecution,
    ReplayExecutions,
)  # fmt: skip
from services.executor.engine import Engine
from services.executor.handlers.executions import show
from services.executor.migrating import migrate
from services.executor.noted import NOTED
from services.executor.operations import ITEMS_MAX, Kind, Made, Operations, Piece
from services.executor.replaying import Wanted, replay_one
from services.executor.signals import history

BULK = "replay-executions"


def register(r: NatsRouter, engine: Engine, running: Operations) -> None:
    @r.subscriber(ReplayExecution.type, queue=SERVICE)
    async def replay_execution(command: ReplayExecution, meta: CausedBy) -> NatsResponse:
        if (before := await engine.service.answered_before(meta)) is not None:
            return before
        wanted = Wanted(command.from_step, command.version, command.input)
        made = await replay_one(engine, command.execution_id, wanted, meta)
        return await answered(engine, made, meta)

    @r.subscriber(MigrateExecution.type, queue=SERVICE)
    async def migrate_execution(command: MigrateExecution, meta: CausedBy) -> NatsResponse:
        if (before := await engine.service.answered_before(meta)) is not None:
            return before
        await migrate(engine, command.execution_id, command.version, meta)
        return await answered(engine, command.execution_id, meta)

    @r.subscriber(ReplayExecutions.type, queue=SERVICE)
    async def replay_executions(command: ReplayExecutions, meta: CausedBy) -> NatsResponse:
        return await _bulk(engine, running, command, meta)

    @r.subscriber(CompareExecutions.type, queue=SERVICE)
    async def compare_executions(query: CompareExecutions, meta: CausedBy) -> NatsResponse:
        return reply(await compare(engine, query.execution_id, query.other, meta))

    running.register(Kind(BULK, "executions:control", _each(engine)))


async def _bulk(
    engine: Engine, running: Operations, command: ReplayExecutions, meta: Meta
) -> NatsResponse:
    if (before := await engine.service.answered_before(meta)) is not None:
        return before
    found = await searching.names(engine, command.filter, meta, true(), ITEMS_MAX + 1)
    if command.dry_run:
        return reply(CountShown(count=len(found)))
    return await running.begin(BULK, command.model_dump(mode="json"), found, meta)


def _each(engine: Engine) -> Callable[[Piece], Awaitable[Made]]:
    async def each(piece: Piece) -> Made:
        wanted = Wanted(piece.ask["from_step"], piece.ask["version"])
        return Made(execution=await replay_one(engine, piece.item, wanted, piece.meta))

    return each


async def answered(engine: Engine, execution: str, meta: Meta) -> NatsResponse:
    """The execution as it is then; the same answer to the same command."""
    shown: Any = await show(engine, meta, await history(engine, meta, execution))
    stream = stream_of("execution", meta.organization, execution)
    return await engine.service.decide(NOTED, stream, [], meta, answer=lambda state, version: shown)
