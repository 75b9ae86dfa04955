"""Executions: start by hand, list, look."""

from typing import Annotated, Any

import msgspec
from fastapi import Depends
from starlette.responses import Response

from libs.common.errors import NotFound
from libs.common.errors import from_wire as error_from_wire
from libs.common.lists import Page
from services.executor.contract import (
    MOVED,
    ExecutionData,
    FindExecution,
    FindExecutions,
    FindTimeline,
    FollowTimeline,
    OpenData,
    TimelineEntry,
)
from services.gateway.access import (
    ExecutionReader,
    ExecutionStarter,
    PayloadReader,
)
from services.gateway.bodies import BodyOf, read
from services.gateway.call import Call, json_response
from services.gateway.contracts import ExpandableExecution, StartByHand, StartedShown
from services.gateway.following import MEDIA, EventStream
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes
from services.gateway.starts import Order
from services.workflows.contract import FindWorkflow

routes = Routes("executions")
UNKNOWN_WORKFLOW = "wf_0"
STEPS_MAX = 200


async def workflows_by_id(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """The filter `workflow` takes names too; an unknown one matches nothing."""
    if not given.get("workflow"):
        return given
    found = [await _workflow_id(call, name) for name in given["workflow"]]
    return {**given, "workflow": found}


async def _workflow_id(call: Call, name: str) -> str:
    if name.startswith("wf_"):
        return name
    try:
        return (await call.ask(FindWorkflow, {"workflow": name})).value["id"]
    except NotFound:
        return UNKNOWN_WORKFLOW


ANY = Parameters(FindExecutions, expand=("workflow",), by_name=("workflow",))


@routes.get("/v1/executions", Page[ExpandableExecution])
async def find_executions(
    call: ExecutionReader, given: Annotated[dict[str, Any], Depends(ANY)]
) -> Response:
    """Executions, newest first; filters are equalities, several values with commas.

    `q` looks for words in the error texts of the newest 10,000 hits of the other filters, and
    needs payloads:read.
    """
    expands = "workflow" in call.request.state.expand

    async def expanded(data: bytes) -> bytes:
        things = msgspec.json.decode(data)
        known: dict[str, Any] = {}
        for thing in things:
            await _expand_workflow(call, thing, known)
        return msgspec.json.encode(things)

    asked = await workflows_by_id(call, given)
    return await call.listed(FindExecutions, asked, shown=expanded if expands else None)


async def _expand_workflow(call: Call, thing: dict[str, Any], known: dict[str, Any]) -> None:
    name = thing["workflow"]
    if name not in known:
        known[name] = (await call.ask(FindWorkflow, {"workflow": name})).value
    thing["workflow"] = known[name]


ONE = Parameters(FindExecution, without=["execution_id"], expand=("workflow", "steps"))


@routes.get("/v1/executions/{execution}", ExpandableExecution, versioned=True)
async def find_execution(
    call: ExecutionReader, execution: str, given: Annotated[dict[str, Any], Depends(ONE)]
) -> Response:
    """One execution: state, times, trigger, outcome; never what it processed."""
    answered = await call.ask(FindExecution, {"execution_id": execution})
    expand = call.request.state.expand
    if not expand:
        return call.shown(answered)
    thing = answered.value
    if "workflow" in expand:
        await _expand_workflow(call, thing, {})
    if "steps" in expand:
        steps = await call.ask(FindTimeline, {"execution_id": execution}, limit=STEPS_MAX)
        thing["steps"] = steps.value["data"]
    return json_response(msgspec.json.encode(thing), 200)


TIMELINE = Parameters(FindTimeline, without=["execution_id"])


@routes.get("/v1/executions/{execution}/timeline", Page[TimelineEntry])
async def find_timeline(
    call: ExecutionReader, execution: str, given: Annotated[dict[str, Any], Depends(TIMELINE)]
) -> Response:
    """Steps, attempts and waits with their times, in order."""
    return await call.listed(FindTimeline, given, {"execution_id": execution})


LIVE = Parameters(FollowTimeline, without=["execution_id", "limit"])


@routes.get("/v1/executions/{execution}/stream", MEDIA, produces=(MEDIA,), streams=True,
            refuses=("too-many-streams",))  # fmt: skip
async def follow_execution(
    call: ExecutionReader, execution: str, given: Annotated[dict[str, Any], Depends(LIVE)]
) -> Response:
    """Its timeline as server-sent events, from the beginning on, live until `event: end`.

    `Last-Event-ID` goes on behind that entry. It closes when the permission goes.
    """
    return EventStream(call, FollowTimeline, {"execution_id": execution}, given, MOVED, execution)


DATA = Parameters(OpenData, without=["execution_id"])


@routes.get("/v1/executions/{execution}/data", ExecutionData)
async def open_data(
    call: PayloadReader, execution: str, given: Annotated[dict[str, Any], Depends(DATA)]
) -> Response:
    """Input and output; with `step` the result of one step (`post[3]`), or what it sent and what
    came back."""
    return await call.show(OpenData, {"execution_id": execution}, **given)


START = BodyOf(StartByHand, optional=True)


@routes.post("/v1/workflows/{workflow}/executions", StartedShown, status=202, waits=True,
             later=(200, StartedShown),
             refuses=("invalid-input", "file-missing", "quota-exceeded", "too-many-running",
                      "idempotency-key-reused"))  # fmt: skip
async def start_execution(
    call: ExecutionStarter, workflow: str, body: Annotated[dict[str, Any], Depends(START)]
) -> Response:
    """Start by hand: 202 once it is promised; with `Prefer: wait=n` 200 if it ends in time."""
    call.idempotency_key()
    key = call.request.scope["troth"].key
    workflow_id, wait_s = await call.door.workflow_id(call.organization, workflow), call.wait_s()
    meta = call.meta()
    order = Order(
        "manual", call.organization, workflow_id, f"{call.actor}:{key}",
        {"input": body.get("input", {})}, await read(call.request), call.actor, call.request_id,
        workflow=workflow_id, version=body.get("version"), result=bool(wait_s),
        wait_s=wait_s or 0, origin=meta.origin, traceparent=meta.traceparent,
    )  # fmt: skip
    answer = await call.door.starts.start(order)
    if answer.status == "refused":
        raise error_from_wire(answer.problem or {})
    shown = StartedShown(
        execution=answer.execution, call=answer.call, outcome=answer.outcome,
        error_type=answer.error_type,
    )  # fmt: skip
    headers = {"Location": f"/v1/executions/{answer.execution}"}
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    if wait_s is not None:
        headers["Preference-Applied"] = f"wait={wait_s}"
    status = 200 if answer.status == "finished" else 202
    return json_response(shown.model_dump_json().encode(), status, headers)
