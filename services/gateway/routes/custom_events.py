"""An organization's own events: said here, heard by event triggers and by waits."""

import re
from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from services.executor.contract import EmitEvent, EventEmitted
from services.gateway.access import ExecutionStarter
from services.gateway.bodies import BodyOf
from services.gateway.contracts import EventSaid
from services.gateway.routing import Routes

routes = Routes("events")
# What a step of an execution sends as Idempotency-Key by itself.
OF_A_STEP = re.compile(r"(exe_[0-9a-z]{26}):.+")
EMIT = BodyOf(EventSaid)


@routes.post("/v1/events", EventEmitted, status=201,
             refuses=("invalid-input", "body-too-large", "idempotency-key-reused"))  # fmt: skip
async def emit_event(
    call: ExecutionStarter, body: Annotated[dict[str, Any], Depends(EMIT)]
) -> Response:
    """Say that something happened: `custom.<name>`, with data for triggers and waits.

    The same `id` is the same event, for as long as events are kept. Events that executions cause
    start at most eight executions in a row.
    """
    taken = call.request.scope["troth"].rate = call.door.rates.events.take(call.organization)
    taken.or_refuse()
    step = OF_A_STEP.fullmatch(call.idempotency_key() or "")
    said = {"event_type": body["type"], "data": body.get("data"), "id": body.get("id")}
    return await call.carry_out(EmitEvent, caused_by=step[1] if step else None, **said)
