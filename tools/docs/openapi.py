"""docs/openapi.json: the REST API, as the gateway answers it at /openapi.json."""

import json


def openapi_document() -> str:
    """From the routes alone; nothing is connected."""
    from services.gateway import openapi
    from services.gateway.app import FILES
    from services.gateway.routing import know

    known = know([route for file in FILES for route in file.routes.router.routes])
    return json.dumps(openapi.document(known.values()), indent=1, ensure_ascii=False) + "\n"
