"""Connectors: what a step can use."""

from starlette.responses import Response

from services.executor.contract import ConnectorCard, ListConnectors
from services.gateway.access import SignedIn
from services.gateway.call import json_response
from services.gateway.routing import Routes

routes = Routes("connectors")


@routes.get("/v1/connectors", list[ConnectorCard])
async def list_connectors(call: SignedIn) -> Response:
    """Cards of all connectors: inputs, outputs, effect."""
    answered = await call.ask(ListConnectors)
    return json_response(answered.body, 200)


@routes.get("/v1/connectors/{type}", ConnectorCard)
async def find_connector(call: SignedIn, type: str) -> Response:
    """One connector's card."""
    return await call.show(ListConnectors, {"connector": type})
