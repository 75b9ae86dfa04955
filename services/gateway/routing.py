"""Routes with what must be known of each: who may, what it takes, what it answers and refuses."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from libs.common.bus import ASK_TIMEOUT_S
from services.gateway.bodies import JSON, BodyOf
from services.gateway.parameters import Parameters

FACTS = "__troth_facts__"


@dataclass(frozen=True)
class Facts:
    """What a route says about itself; `openapi.py` and the tests read it. `takes_s` is how long
    the service that is asked may take.

    `answers` is a model, a media type for a document, or None for no body. `documents` are bodies
    that are taken as they are (workflow documents), `waits` takes `Prefer: wait=n`,
    `streams` takes `Last-Event-ID`. `limit_bytes` is of a body that is not read in whole.
    """

    tag: str
    status: int
    answers: Any
    produces: tuple[str, ...] = (JSON,)
    refuses: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    matches: bool = False
    creates: bool = False
    versioned: bool = False
    waits: bool = False
    later: tuple[int, Any] | None = None
    public_page: bool = False
    takes_s: float = ASK_TIMEOUT_S
    streams: bool = False
    limit_bytes: int | None = None


class Routes:
    """The routes of one file; each function's docstring is what the reference says."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.router = APIRouter(redirect_slashes=False)

    def add(
        self, method: str, path: str, answers: Any, *, status: int = 200, **facts: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        said = Facts(self.tag, status, answers, **facts)

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            setattr(function, FACTS, said)
            self.router.add_api_route(
                path, function, methods=[method], response_model=None, include_in_schema=False
            )
            return function

        return register

    def get(self, path: str, answers: Any, **facts: Any) -> Callable[..., Any]:
        return self.add("GET", path, answers, **facts)

    def post(self, path: str, answers: Any, **facts: Any) -> Callable[..., Any]:
        return self.add("POST", path, answers, **facts)

    def put(self, path: str, answers: Any, **facts: Any) -> Callable[..., Any]:
        return self.add("PUT", path, answers, **facts)

    def patch(self, path: str, answers: Any, **facts: Any) -> Callable[..., Any]:
        return self.add("PATCH", path, answers, **facts)

    def delete(self, path: str, **facts: Any) -> Callable[..., Any]:
        return self.add("DELETE", path, None, status=204, **facts)


class RouteWithoutPermission(Exception):
    """A route whose signature does not say who may call it: the application does not start."""


@dataclass(frozen=True)
class Known:
    """A route's facts beside what its signature says."""

    route: APIRoute
    facts: Facts
    permission: str
    body: BodyOf | None
    parameters: Parameters | None

    @property
    def parameter_names(self) -> Sequence[str]:
        return self.parameters.known if self.parameters else ()

    @property
    def operation(self) -> str:
        return self.route.endpoint.__name__.replace("_", "-")

    @property
    def method(self) -> str:
        return next(iter(self.route.methods or ()))


def know(routes: Sequence[BaseRoute]) -> dict[Any, Known]:
    """Reads every route's signature, by its function. Raises RouteWithoutPermission."""
    found: dict[Any, Known] = {}
    for route in routes:
        if not isinstance(route, APIRoute):
            raise RouteWithoutPermission(f"{route} was not made by Routes")
        facts = getattr(route.endpoint, FACTS, None)
        permission: str | None = None
        body: BodyOf | None = None
        parameters: Parameters | None = None
        for called in _calls(route.dependant):
            permission = getattr(called, "permission", permission)
            body = called if isinstance(called, BodyOf) else body
            parameters = called if isinstance(called, Parameters) else parameters
        if permission is None or facts is None:
            raise RouteWithoutPermission(f"{route.path}: its signature does not say who may")
        found[route.endpoint] = Known(route, facts, permission, body, parameters)
    return found


def _calls(dependant: Dependant) -> Iterator[Any]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from _calls(inner)
