"""A client of the API that holds every answer against the OpenAPI document."""

import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx
import jsonschema_rs

JSON, MERGE, YAML = "application/json", "application/merge-patch+json", "application/yaml"
SSE, ANY = "text/event-stream", "*/*"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PER_S, BURST = 45.0, 150.0  # of a session; the gateway lets 50 and 200 through
_ADDRESSES = itertools.cycle(range(2, 250))


@dataclass(frozen=True)
class Operation:
    """One method of one path, as the document describes it."""

    method: str
    path: str
    facts: dict[str, Any]
    document: "Document"

    @property
    def id(self) -> str:
        return self.facts["operationId"]

    @property
    def permission(self) -> str:
        return self.facts["x-permission"]

    def names(self, place: str) -> list[str]:
        """The parameters in `path`, `query` or `header`."""
        return [p["name"] for p in self.facts["parameters"] if p["in"] == place]

    @property
    def needed(self) -> list[str]:
        """Query parameters that it can't do without."""
        found = (p for p in self.facts["parameters"] if p["in"] == "query")
        return [p["name"] for p in found if p.get("required")]

    @property
    def lists(self) -> bool:
        return "cursor" in self.names("query")

    @property
    def media(self) -> list[str]:
        return list(self.facts.get("requestBody", {}).get("content", {}))

    @property
    def raw(self) -> bool:
        """Whether any bytes of any type are its body."""
        return ANY in self.media

    @property
    def answers_anything(self) -> bool:
        """Whether what it answers with may be of any type."""
        return ANY in self.facts["responses"].get("200", {}).get("content", {})

    @cached_property
    def body(self) -> dict[str, Any]:
        """The schema of the JSON object that it takes, or nothing."""
        if not self.media or self.raw or YAML in self.media:
            return {}
        return self.document.resolve(self.facts["requestBody"]["content"][self.media[0]]["schema"])

    def codes(self, status: int) -> list[str]:
        return self.facts["responses"].get(str(status), {}).get("x-codes", [])


class Document:
    """`/openapi.json`, with a validator for each schema in it."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.operations = [
            Operation(method.upper(), path, facts, self)
            for path, methods in given["paths"].items()
            for method, facts in methods.items()
        ]
        self._patterns = [
            (op.method, re.compile(re.sub(r"\{[a-z_]+\}", "[^/]+", op.path) + "$"), op)
            for op in sorted(self.operations, key=lambda op: op.path.count("{"))
        ]
        self._validators: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Operation:
        return next(op for op in self.operations if op.id == name)

    def resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            schema = self.given["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    def find(self, method: str, path: str) -> Operation | None:
        found = (op for m, pattern, op in self._patterns if m == method and pattern.match(path))
        return next(found, None)

    def check(self, name: str, schema: dict[str, Any], value: Any) -> None:
        """Raises with the place when the value is not what the schema says."""
        if name not in self._validators:
            whole = {**schema, "components": self.given["components"]}
            self._validators[name] = jsonschema_rs.Draft202012Validator(whole)
        self._validators[name].validate(value)


@dataclass
class Api:
    """Somebody's way in: one or several tokens (each has a rate of its own), an address.

    Every answer is held against the document: its status, type, headers and schema.
    """

    base: str
    document: Document | None = None
    tokens: list[str] = field(default_factory=list)
    organization: str | None = None
    email: str = ""
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        address = f"127.0.0.{next(_ADDRESSES)}"
        limits = httpx.Limits(max_connections=100)
        transport = httpx.HTTPTransport(local_address=address, limits=limits, verify=False)
        self.client = httpx.Client(
            base_url=self.base, transport=transport, timeout=30, trust_env=False
        )
        self._turn: Iterator[str] = itertools.cycle(self.tokens)
        self._room, self._asked_at = BURST * len(self.tokens), time.monotonic()

    def with_token(self, *tokens: str, organization: str | None = None) -> "Api":
        return Api(self.base, self.document, list(tokens), organization)

    def headers(self, given: dict[str, str] | None) -> dict[str, str]:
        own = {"Authorization": f"Bearer {next(self._turn)}"} if self.tokens else {}
        self._pace()
        if self.organization:
            own["Troth-Organization"] = self.organization
        return own | (given or {})

    def _pace(self) -> None:
        """On a fast machine a walk over everything would be too fast for its sessions."""
        now, many = time.monotonic(), len(self.tokens)
        room = self._room + (now - self._asked_at) * PER_S * many
        self._room, self._asked_at = min(room, BURST * many) - 1, now
        if many and self._room < 0:
            # for no event: until the bucket that the gateway keeps of these sessions has room again
            time.sleep(-self._room / (PER_S * many))

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:  # fmt: skip
        """`body` is sent as JSON; `content=` as it is."""
        if body is not None:
            more["json"] = body
        request = self.client.build_request(method, path, headers=self.headers(headers), **more)
        answer = self.client.send(request, stream=True)
        if answer.headers.get("content-type", "").startswith(SSE):
            answer._content = next(answer.iter_raw(), b"")  # its beginning: it has no end
        else:
            answer.read()
        answer.close()
        if self.document is not None and path.startswith("/v1/"):
            held(self.document, method, path.partition("?")[0], answer)
        return answer

    def get(self, path: str, **more: Any) -> Any:
        answer = self.ask("GET", path, **more)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        answer = self.ask("POST", path, body, **more)
        assert answer.status_code < 300, (path, answer.text)
        return answer.json()

    def put(self, path: str, body: Any = None, **more: Any) -> Any:
        answer = self.ask("PUT", path, body, **more)
        assert answer.status_code < 300, (path, answer.text)
        return answer.json()

    def everything(self, path: str, limit: int = 200, **more: Any) -> list[Any]:
        """A whole list, page by page."""
        found, join = [], "&" if "?" in path else "?"
        page = self.get(f"{path}{join}limit={limit}", **more)
        while True:
            found += page["data"]
            if page["next_cursor"] is None or not page["data"]:
                return found
            page = self.get(f"{path}{join}limit={limit}&cursor={page['next_cursor']}", **more)


def held(document: Document, method: str, path: str, answer: httpx.Response) -> None:
    """Every answer is one that the document describes, with the headers that all have."""
    said = f"{method} {path} {answer.status_code} {answer.text[:600]}"
    for name, value in {
        "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
    }.items():  # fmt: skip
        assert answer.headers[name] == value, said
    assert answer.headers["cache-control"] in ("no-store", "private, no-cache"), said
    assert answer.headers["troth-request-id"].startswith("req_"), said
    assert answer.headers["ratelimit"] and answer.headers["ratelimit-policy"], said
    operation = document.find(method, path)
    if answer.status_code >= 400:
        problem = _problem(document, answer, said)
        if operation is not None and problem["code"] != "method-not-allowed":
            assert problem["code"] in operation.codes(answer.status_code), said
        return
    assert operation is not None, said
    described = operation.facts["responses"].get(str(answer.status_code))
    assert described is not None, said
    content = described.get("content")
    if content is None or answer.status_code == 304:
        assert answer.content == b"", said
        return
    media = answer.headers["content-type"].partition(";")[0]
    assert media in content or ANY in content, said
    if media == JSON and media in content and operation.id != "find-draft":
        name = f"{operation.id} {answer.status_code}"
        document.check(name, content[media]["schema"], answer.json())


def _problem(document: Document, answer: httpx.Response, said: str) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json", said
    problem = answer.json()
    document.check("Problem", document.given["components"]["schemas"]["Problem"], problem)
    assert problem["status"] == answer.status_code, said
    assert problem["type"] == f"/problems/{problem['code']}", said
    assert problem["request_id"] == answer.headers["troth-request-id"], said
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"], said
    if answer.status_code in (429, 503):
        assert int(answer.headers["retry-after"]) > 0, said
    return problem
