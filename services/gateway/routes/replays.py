"""Executions done again from a step, moved to another version, held beside each other."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from services.executor.contract import (
    ComparedShown,
    CompareExecutions,
    ExecutionShown,
    MigrateExecution,
    OperationOrCount,
    OperationShown,
    ReplayExecution,
    ReplayExecutions,
)
from services.gateway.access import ExecutionController, ExecutionReader
from services.gateway.bodies import BodyOf
from services.gateway.parameters import Parameters
from services.gateway.routes.operations import of_a_filter
from services.gateway.routing import Routes

routes = Routes("executions")
REPLAY = BodyOf(ReplayExecution, without=["execution_id"], optional=True)
MIGRATE = BodyOf(MigrateExecution, without=["execution_id"])
COMPARE = Parameters(CompareExecutions, without=["execution_id"])


@routes.post("/v1/executions/{execution}/replay", ExecutionShown, status=201,
             refuses=("unknown-step", "not-compatible", "invalid-input", "too-many-running",
                      "workflow-archived"))  # fmt: skip
async def replay_execution(
    call: ExecutionController, execution: str, body: Annotated[dict[str, Any], Depends(REPLAY)]
) -> Response:
    """Do it again as a new execution, from `from_step` on with the results recorded before it.

    The step, all after it, and the results of the blocks around it are done anew; other items of
    a loop are kept. `version` is `same`, `newest` or a number. What was undone meanwhile, or does
    not fit the other version, is refused, each with its reason.
    """
    return await call.carry_out(
        ReplayExecution, {"execution_id": execution},
        location=lambda made: f"/v1/executions/{made['id']}", **body,
    )  # fmt: skip


@routes.post("/v1/executions/replay", OperationShown, status=202, waits=True,
             later=(200, OperationOrCount))  # fmt: skip
async def replay_executions(
    call: ExecutionController, body: Annotated[dict[str, Any], Depends(BodyOf(ReplayExecutions))]
) -> Response:
    """Replay all of a filter; with `dry_run` only count them."""
    return await of_a_filter(call, ReplayExecutions, body)


@routes.post("/v1/executions/{execution}/migrate", ExecutionShown,
             refuses=("not-compatible", "execution-running", "execution-ended",
                      "workflow-archived"))  # fmt: skip
async def migrate_execution(
    call: ExecutionController, execution: str, body: Annotated[dict[str, Any], Depends(MIGRATE)]
) -> Response:
    """A waiting or paused execution goes on with another version, if what ran fits it."""
    return await call.carry_out(MigrateExecution, {"execution_id": execution}, **body)


@routes.get("/v1/executions/{execution}/compare", ComparedShown)
async def compare_executions(
    call: ExecutionReader, execution: str, given: Annotated[dict[str, Any], Depends(COMPARE)]
) -> Response:
    """Which steps differ between this one and the one of `with`: by path, result and duration.

    Results are shown to who may read payloads.
    """
    return await call.show(CompareExecutions, {"execution_id": execution}, **given)
