"""The ledger of calls: what came in, what became of it, and sending it through again."""

from typing import Annotated, Any

from fastapi import Depends, Path
from starlette.responses import Response

from libs.common.lists import Page
from services.executor.contract import (
    CallData,
    CallResentShown,
    CallShown,
    FindCall,
    FindCalls,
    OpenCall,
    OperationOrCount,
    OperationShown,
    ResendCall,
    ResendCalls,
)
from services.gateway.access import PayloadReader, TriggerReader, TriggerResender
from services.gateway.bodies import BodyOf
from services.gateway.parameters import Parameters
from services.gateway.routes.executions import workflows_by_id
from services.gateway.routes.operations import of_a_filter
from services.gateway.routing import Routes

routes = Routes("trigger-calls")
CallPath = Annotated[str, Path(alias="call")]
ANY = Parameters(FindCalls, by_name=("workflow",))


@routes.get("/v1/trigger-calls", Page[CallShown])
async def find_calls(
    call: TriggerReader,
    given: Annotated[dict[str, Any], Depends(ANY)],
) -> Response:
    """Every call with its outcome: also those that matched nothing or were refused."""
    return await call.listed(FindCalls, await workflows_by_id(call, given))


@routes.get("/v1/trigger-calls/{call}", CallShown)
async def find_call(call: TriggerReader, call_id: CallPath) -> Response:
    """One call."""
    return await call.show(FindCall, {"call_id": call_id})


@routes.get("/v1/trigger-calls/{call}/data", CallData)
async def open_call(call: PayloadReader, call_id: CallPath) -> Response:
    """Headers and body as they came."""
    return await call.show(OpenCall, {"call_id": call_id})


@routes.post("/v1/trigger-calls/resend", OperationShown, status=202, waits=True,
             later=(200, OperationOrCount))  # fmt: skip
async def resend_calls(
    call: TriggerResender, body: Annotated[dict[str, Any], Depends(BodyOf(ResendCalls))]
) -> Response:
    """All of a filter through routing again; with `dry_run` only count them.

    Those that were sent again before, and those whose body was not kept, are left out.
    """
    return await of_a_filter(call, ResendCalls, body)


@routes.post("/v1/trigger-calls/{call}/resend", CallResentShown,
             refuses=("quota-exceeded", "hook-not-found", "nothing-to-resend"))  # fmt: skip
async def resend_call(call: TriggerResender, call_id: CallPath) -> Response:
    """Through routing again, as if it came now."""
    return await call.carry_out(ResendCall, {"call_id": call_id})
