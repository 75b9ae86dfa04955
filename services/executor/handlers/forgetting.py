"""Forgets an ended execution before its time."""

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy
from libs.common.errors import NotFound
from libs.common.eventstore import stream_of
from services.executor import forgetting
from services.executor.contract import (
    SERVICE,
    ExecutionForgotten,
    ForgetExecution,
    ForgottenShown,
)  # fmt: skip
from services.executor.engine import Engine
from services.executor.noted import NOTED
from services.executor.signals import history


def register(r: NatsRouter, engine: Engine) -> None:
    @r.subscriber(ForgetExecution.type, queue=SERVICE)
    async def forget_execution(command: ForgetExecution, meta: CausedBy) -> NatsResponse:
        events = await history(engine, meta, command.execution_id)
        started = await forgetting.must_have_ended(engine, meta, events)
        fact = ExecutionForgotten(
            execution_id=command.execution_id, workflow_id=started.workflow_id, events=len(events)
        )

        async def beside(db: AsyncConnection) -> None:
            at = events[0].time
            row = forgetting.Hidden(command.execution_id, at, at + forgetting.AFTER)
            if not await forgetting.hide(db, meta.organization, [row]):
                raise NotFound()

        stream = stream_of("forgotten", meta.organization, command.execution_id)
        shown = ForgottenShown(id=command.execution_id)
        return await engine.service.decide(
            NOTED, stream, [fact], meta, answer=lambda state, version: shown, beside=beside
        )
