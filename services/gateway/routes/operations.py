"""Long work: what became of it, and waiting for its end."""

import asyncio
import time
from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.bus import Answered
from libs.common.lists import Page
from libs.common.messages import Ask
from services.audit.contract import EXPORT_PREFIX, FindExport
from services.executor.contract import (
    CancelOperation,
    FindOperation,
    FindOperationResult,
    FindOperations,
    NotEnded,
    OperationShown,
    PieceShown,
)
from services.gateway.access import SignedIn
from services.gateway.bodies import JSON
from services.gateway.call import Call, json_response
from services.gateway.exported import exported
from services.gateway.lines import LINES, Lines
from services.gateway.parameters import Parameters
from services.gateway.routes.executions import workflows_by_id
from services.gateway.routing import Routes

routes = Routes("operations")
LOOK_S = 0.2


async def of_a_filter(call: Call, kind: type[Ask], body: dict[str, Any]) -> Response:
    """Asks for long work on all of a filter; names of workflows in it become ids."""
    given = body["filter"].model_dump(exclude_unset=True)
    wanted = body["filter"].model_copy(update=await workflows_by_id(call, given))
    answered = await call.change(kind, **(body | {"filter": wanted}))
    if body.get("dry_run"):
        return json_response(answered.body, 200)
    return await promised(call, answered)


async def promised(call: Call, answered: Answered) -> Response:
    """202 with the operation; with `Prefer: wait=n` 200 when it ends in time."""
    operation = answered.value
    headers = {"Location": f"/v1/operations/{operation['id']}"}
    if answered.replayed:
        headers["Idempotency-Replayed"] = "true"
    wait_s = call.wait_s()
    if wait_s is None:
        return json_response(answered.body, 202, headers)
    headers["Preference-Applied"] = f"wait={wait_s}"
    deadline = time.monotonic() + wait_s
    while answered.value["ended_at"] is None and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_S)
        answered = await call.ask(_owners(operation["id"]), {"operation_id": operation["id"]})
    return json_response(answered.body, 202 if answered.value["ended_at"] is None else 200, headers)


def _owners(operation: str) -> type[Ask]:
    """The id says whose it is."""
    return FindExport if operation.startswith(EXPORT_PREFIX) else FindOperation


@routes.get("/v1/operations", Page[OperationShown])
async def find_operations(
    call: SignedIn, given: Annotated[dict[str, Any], Depends(Parameters(FindOperations))]
) -> Response:
    """What you asked for in this organization that takes its time, newest first."""
    return await call.listed(FindOperations, given)


@routes.get("/v1/operations/{operation}", OperationShown, refuses=("permission-missing",))
async def find_operation(call: SignedIn, operation: str) -> Response:
    """How far it is; your own, while you have the permission that it needed."""
    return await call.show(_owners(operation), {"operation_id": operation})


RESULT = Parameters(FindOperationResult, without=["operation_id"])


@routes.get("/v1/operations/{operation}/result", Page[PieceShown], produces=(JSON, LINES),
            later=(206, LINES), refuses=("permission-missing", "operation-running",
            "export-changed", "range-not-satisfiable"))  # fmt: skip
async def find_operation_result(
    call: SignedIn, operation: str, given: Annotated[dict[str, Any], Depends(RESULT)]
) -> Response:
    """What became of each piece, in order. As `application/jsonl`, when it has ended: everything
    that it gave, a line for each piece. An export of the trail has lines only; it takes `Range`."""
    if operation.startswith(EXPORT_PREFIX):
        return await exported(call, operation)
    if LINES in call.request.headers.get("accept", ""):
        shown = (await call.ask(FindOperation, {"operation_id": operation})).value
        if shown["ended_at"] is None:
            raise NotEnded("the operation is still at work")
        return Lines(call, operation)
    return await call.listed(FindOperationResult, given, {"operation_id": operation})


@routes.post("/v1/operations/{operation}/cancel", OperationShown, refuses=("permission-missing",))
async def cancel_operation(call: SignedIn, operation: str) -> Response:
    """No further piece is begun; those that are done stay done."""
    return await call.carry_out(CancelOperation, {"operation_id": operation})
