"""Connectors: what a step can use."""

from typing import Annotated, Any

import msgspec
from fastapi import Depends
from starlette.responses import Response

from libs.common.errors import NotFound
from libs.common.lists import Page, PageQuery, page_in_memory
from services.executor.contract import ConnectorCard, ListConnectors
from services.gateway.access import SignedIn
from services.gateway.call import json_response
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes

routes = Routes("connectors")


@routes.get("/v1/connectors", Page[ConnectorCard])
async def list_connectors(
    call: SignedIn, given: Annotated[dict[str, Any], Depends(Parameters(PageQuery))]
) -> Response:
    """Cards of all connectors: inputs, outputs, effect."""
    cards = (await call.ask(ListConnectors)).value["data"]
    query = PageQuery.model_validate(given | call.place())
    page = page_in_memory(cards, query, lambda card: (card["type"], card["version"]))
    return call.page(msgspec.json.encode(page.data), page.next)


@routes.get("/v1/connectors/{type}", ConnectorCard)
async def find_connector(call: SignedIn, type: str) -> Response:
    """One connector's card, of its newest version."""
    cards = (await call.ask(ListConnectors, {"connector": type})).value["data"]
    if not cards:
        raise NotFound()
    return json_response(msgspec.json.encode(max(cards, key=lambda card: card["version"])), 200)
