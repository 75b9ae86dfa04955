"""Executions under a caller's hand: cancel, pause, resume; one, or all of a filter."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.executor.contract import (
    CancelExecution,
    CancelExecutions,
    EffectShown,
    ExecutionShown,
    ExportExecutions,
    FindEffects,
    ForgetExecution,
    OperationOrCount,
    OperationShown,
    PauseExecution,
    PauseExecutions,
    ResumeExecution,
    ResumeExecutions,
)
from services.gateway.access import ExecutionController, ExecutionReader, PayloadReader
from services.gateway.bodies import BodyOf
from services.gateway.parameters import Parameters
from services.gateway.routes.operations import of_a_filter
from services.gateway.routing import Routes

routes = Routes("executions")
CANCEL = BodyOf(CancelExecution, without=["execution_id"], optional=True)
PAUSE = BodyOf(PauseExecution, without=["execution_id"], optional=True)
RESUME = BodyOf(ResumeExecution, without=["execution_id"], optional=True)
Bulk: dict[str, Any] = {"status": 202, "waits": True, "later": (200, OperationOrCount)}


@routes.post("/v1/executions/{execution}/cancel", ExecutionShown)
async def cancel_execution(
    call: ExecutionController, execution: str, body: Annotated[dict[str, Any], Depends(CANCEL)]
) -> Response:
    """Cancel it; when it has ended already, the answer shows what it became."""
    return await call.carry_out(CancelExecution, {"execution_id": execution}, **body)


@routes.post("/v1/executions/{execution}/pause", ExecutionShown, refuses=("execution-ended",))
async def pause_execution(
    call: ExecutionController, execution: str, body: Annotated[dict[str, Any], Depends(PAUSE)]
) -> Response:
    """Hold before the next step; what runs now is finished."""
    return await call.carry_out(PauseExecution, {"execution_id": execution}, **body)


@routes.post("/v1/executions/{execution}/resume", ExecutionShown,
             refuses=("execution-ended", "not-paused"))  # fmt: skip
async def resume_execution(
    call: ExecutionController, execution: str, body: Annotated[dict[str, Any], Depends(RESUME)]
) -> Response:
    """Go on; `decision` says what becomes of the step that paused it: again, failed, or taken as
    done with `value` as its result."""
    return await call.carry_out(ResumeExecution, {"execution_id": execution}, **body)


@routes.post("/v1/executions/cancel", OperationShown, **Bulk)
async def cancel_executions(
    call: ExecutionController, body: Annotated[dict[str, Any], Depends(BodyOf(CancelExecutions))]
) -> Response:
    """Cancel all of a filter that have not ended; with `dry_run` only count them."""
    return await of_a_filter(call, CancelExecutions, body)


@routes.post("/v1/executions/pause", OperationShown, **Bulk)
async def pause_executions(
    call: ExecutionController, body: Annotated[dict[str, Any], Depends(BodyOf(PauseExecutions))]
) -> Response:
    """Pause all of a filter that have not ended; with `dry_run` only count them."""
    return await of_a_filter(call, PauseExecutions, body)


@routes.post("/v1/executions/resume", OperationShown, **Bulk)
async def resume_executions(
    call: ExecutionController, body: Annotated[dict[str, Any], Depends(BodyOf(ResumeExecutions))]
) -> Response:
    """Resume all of a filter that are paused; with `dry_run` only count them."""
    return await of_a_filter(call, ResumeExecutions, body)


@routes.post("/v1/executions/export", OperationShown, **Bulk)
async def export_executions(
    call: PayloadReader, body: Annotated[dict[str, Any], Depends(BodyOf(ExportExecutions))]
) -> Response:
    """All of a filter with input, output and error; with `dry_run` only count them.

    The result is read as JSON Lines from `/v1/operations/{operation}/result`, for a day.
    """
    return await of_a_filter(call, ExportExecutions, body)


@routes.delete("/v1/executions/{execution}", refuses=("execution-not-ended",))
async def forget_execution(call: ExecutionController, execution: str) -> Response:
    """Forget one that has ended, before its time: nobody sees it from then on. What it processed
    leaves the log after a day, when the trail has its numbers; that it was, and who had it
    forgotten, stays in the trail."""
    return await call.carry_out(ForgetExecution, {"execution_id": execution})


EFFECTS = Parameters(FindEffects, without=["execution_id"])


@routes.get("/v1/executions/{execution}/effects", Page[EffectShown])
async def find_effects(
    call: ExecutionReader, execution: str, given: Annotated[dict[str, Any], Depends(EFFECTS)]
) -> Response:
    """What it changed outside: each effect with its key and attempts, and whether it was undone."""
    return await call.listed(FindEffects, given, {"execution_id": execution})
