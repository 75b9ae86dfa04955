"""The FastAPI part: all routes, and every refusal of it as a problem."""

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from libs.common.errors import DomainError, InvalidInput, Malformed, NotFound
from services.gateway.door import Door
from services.gateway.problems import render
from services.gateway.refusals import MethodNotAllowed
from services.gateway.routing import Routes, know

# FastAPI's own spans hold paths and queries as they came, and so what people wrote there.
OWN_SPANS: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
NOTED = frozenset(("permission-missing", "credential-invalid", "cross-site-refused"))


def application(door: Door, files: Iterable[Routes]) -> FastAPI:
    """The application with the routes of `files`. Raises RouteWithoutPermission."""
    app = FastAPI(
        openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False,
        telemetry=OWN_SPANS,
    )  # fmt: skip
    app.router.routes.clear()
    for routes in files:
        app.router.routes.extend(routes.router.routes)
    door.known = know(app.router.routes)
    app.state.door = door
    app.add_exception_handler(DomainError, _refused)
    app.add_exception_handler(HTTPException, _of_the_framework)
    app.add_exception_handler(RequestValidationError, _not_fitting)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError)
    arrived = request.scope["troth"]
    if error.code in NOTED:
        permission = error.extra.get("permission")
        arrived.reason = (error.code, permission if isinstance(permission, str) else None)
    status, headers, body = render(error, arrived.request_id)
    response = Response(body, status)
    response.raw_headers += headers
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = error.extra["allow"]
    return response


async def _of_the_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return await _refused(request, NotFound())
    if error.status_code == 405:
        allow = ", ".join(_methods(request.app.router.routes, request.scope))
        refusal = MethodNotAllowed(f"this takes {allow}", allow=allow)
        return await _refused(request, refusal)
    return await _refused(request, Malformed("the request can't be read"))


async def _not_fitting(request: Request, error: Exception) -> Response:
    return await _refused(request, InvalidInput("the request does not fit"))


def _methods(routes: Sequence[BaseRoute], scope: Any) -> list[str]:
    """All methods that some route takes at this path."""
    found: set[str] = set()
    for route in routes:
        match, _ = route.matches(scope)
        if match is not Match.NONE:
            found |= set(getattr(route, "methods", None) or ())
    return sorted(found)
