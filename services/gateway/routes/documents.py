"""Documents about the API: the reference (offline), OpenAPI, AsyncAPI, every problem explained."""

from pathlib import Path
from typing import Any

import msgspec
from starlette.responses import Response
from swagger_ui_bundle import swagger_ui_path

from libs.common.errors import NotFound
from services.gateway import asyncapi, openapi
from services.gateway.access import Anybody
from services.gateway.bodies import JSON
from services.gateway.call import Call
from services.gateway.catalogue import CATALOGUE
from services.gateway.pages import DOCS_POLICY, HTML, STATIC, file, page
from services.gateway.problems import title_of
from services.gateway.routing import Routes

routes = Routes("documents")
VIEWER = Path(swagger_ui_path)
FROM_VIEWER = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
OURS = ("docs.js", "docs.css")
ANY_TYPE = ("text/html", "text/css", "text/javascript", "image/png", "image/svg+xml", "*/*")


def _json(value: Any) -> Response:
    headers = {"Cache-Control": "no-cache"}
    return Response(msgspec.json.encode(value), headers=headers, media_type=JSON)


@routes.get("/openapi.json", JSON, public_page=True)
async def openapi_document(call: Anybody) -> Response:
    """This API, for machines."""
    return _json(openapi.document(call.door.known.values()))


@routes.get("/asyncapi.json", JSON, public_page=True)
async def asyncapi_document(call: Anybody) -> Response:
    """The public events, for machines."""
    return _json(asyncapi.document())


@routes.get("/docs", HTML, produces=(HTML,), public_page=True)
async def docs(call: Anybody) -> Response:
    """The reference."""
    return file(call, STATIC / "docs.html", DOCS_POLICY)


@routes.get("/docs/openapi.json", JSON, public_page=True)
async def openapi_for_the_viewer(call: Anybody) -> Response:
    """The same in the words that the viewer knows."""
    return _json(openapi.for_viewers(openapi.document(call.door.known.values())))


@routes.get("/docs/{name}", HTML, produces=ANY_TYPE, public_page=True)
async def docs_file(call: Anybody, name: str) -> Response:
    """A file of the viewer."""
    if name in OURS:
        return file(call, STATIC / name, DOCS_POLICY)
    if name not in FROM_VIEWER:
        raise NotFound()
    return file(call, VIEWER / name, DOCS_POLICY)


@routes.get("/static/{name}", HTML, produces=ANY_TYPE, public_page=True)
async def static_file(call: Anybody, name: str) -> Response:
    """A file of the pages."""
    if name not in ("troth.css", "troth.svg"):
        raise NotFound()
    return file(call, STATIC / name)


@routes.get("/problems", HTML, produces=(HTML,), public_page=True)
async def problems(call: Anybody) -> Response:
    """Every code of a problem."""
    entries = sorted(CATALOGUE.items(), key=lambda item: (item[1].status, item[0]))
    return _page(call, "problems.html", entries=entries)


@routes.get("/problems/{code}", HTML, produces=(HTML,), public_page=True)
async def problem(call: Anybody, code: str) -> Response:
    """One code: what it means, and what to do."""
    entry = CATALOGUE.get(code)
    if entry is None:
        raise NotFound()
    return _page(call, "problem.html", code=code, heading=title_of(code), entry=entry)


def _page(call: Call, template: str, **values: Any) -> Response:
    return page(call, template, title="Problems", **values)
