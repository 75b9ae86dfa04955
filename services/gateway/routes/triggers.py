"""Triggers: the ways into published workflows."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.gateway.access import TriggerReader
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes
from services.workflows.contract import FindTriggers, TriggerShown

routes = Routes("triggers")


@routes.get("/v1/triggers", Page[TriggerShown])
async def find_triggers(
    call: TriggerReader, given: Annotated[dict[str, Any], Depends(Parameters(FindTriggers))]
) -> Response:
    """All triggers of published workflows: addresses, next instants, what was decided last."""
    return await call.listed(FindTriggers, given)
