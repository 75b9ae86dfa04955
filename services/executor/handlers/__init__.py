"""What callers ask of the executor; a file per kind of question."""

from faststream.nats import NatsRouter

from services.executor.engine import Engine
from services.executor.handlers import (
    approvals,
    calls,
    controls,
    drafts,
    executions,
    exporting,
    forgetting,
    operations,
    replays,
)
from services.executor.operations import Operations
from services.executor.start import Starts


def router(engine: Engine, starts: Starts, running: Operations) -> NatsRouter:
    r = NatsRouter()
    executions.register(r, engine)
    calls.register(r, engine, starts, running)
    controls.register(r, engine, running)
    approvals.register(r, engine)
    operations.register(r, running)
    exporting.register(r, engine, running)
    forgetting.register(r, engine)
    drafts.register(r, engine)
    replays.register(r, engine, running)
    return r
