"""The schema of the workflow language, for editors."""

import msgspec
from starlette.responses import Response

from libs.common.fields import AnyJson
from services.gateway.access import Anybody
from services.gateway.call import json_response
from services.gateway.routing import Routes
from services.workflows.contract import FindSchema

routes = Routes("schema")


@routes.get("/v1/schema/workflow", AnyJson)
async def find_schema(call: Anybody) -> Response:
    """JSON Schema of a workflow document."""
    answered = await call.ask(FindSchema)
    return json_response(msgspec.json.encode(answered.value["json_schema"]), 200)
