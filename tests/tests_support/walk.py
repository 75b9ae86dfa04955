"""What a walk over all operations needs: a good request for each, and ways to spoil it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests_support.api import JSON, YAML, Api, Operation
from tests_support.world import PASSWORD, SIGN_UP, Organization, World, greeter, walked_hold

EXAMPLES: dict[str, Any] = {
    "string": "text", "integer": 7, "number": 1.5, "boolean": True, "array": [], "object": {},
    "null": None,
}  # fmt: skip
BODY_MAX = 256 * 1024


class Findings:
    """Goes through everything and reports all that does not hold, not only the first."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.looked_at = 0

    @contextmanager
    def at(self, *where: object) -> Iterator[None]:
        self.looked_at += 1
        try:
            yield
        except AssertionError as error:
            self.found.append(f"{' '.join(map(str, where))}: {error}")

    def none(self, at_least: int) -> None:
        """Nothing was found, and it was really looked for."""
        assert not self.found, f"{len(self.found)} findings\n" + "\n".join(self.found)
        assert self.looked_at >= at_least


@contextmanager
def nothing_changes(world: World) -> Iterator[None]:
    """No service commits anything but the records of refused access."""
    world.stack.settled()
    before = world.stack.happened()
    yield
    world.stack.settled()
    more = {k: n for k, n in world.stack.happened().items() if n != before.get(k)}
    assert not more, more


def good_body(operation: Operation, world: World) -> dict[str, Any]:
    """The fields of a request that fits."""
    receiver = f"http://{world.receiver}/events"
    bodies: dict[str, Any] = {
        "create-api-key": {"name": "walk", "scopes": ["organizations:read"]},
        "change-plan": {"plan": "pro", "organization": world.other.id},
        "create-subscription": {"url": receiver, "types": ["identity.event.*"]},
        "change-subscription": {"types": ["identity.event.*"]},
        "cancel-execution": {"reason": "enough"},
        "set-up-instance": {"token": "x", "name": "Eve", "email": "eve@example.com",
                            "password": PASSWORD},
        "add-member": {"email": "vera@example.com", "role": "viewer"},
        "change-role": {"role": "viewer"},
        "invite-person": {"email": "walker@example.com", "role": "viewer"},
        "found-organization": {"name": "Walk"},
        "register-person": SIGN_UP | {"name": "Walker", "email": "walker@example.com"},
        "store-secret": {"value": "hush"},
        "set-variable": {"value": [1, {"two": None}]},
        "open-session": {"email": "eve@example.com", "password": PASSWORD, "as": "token"},
        "start-execution": {"input": {"who": "walker"}},
        "publish-workflow": {"draft_version": 1},
        "roll-back-workflow": {"version": 1},
        "request-review": {"draft_version": 1},
        "approve-review": {"comment": "fine"},
        "reject-review": {"comment": "no"},
        "pause-execution": {"reason": "wait"},
        "replay-execution": {"version": "same"},
        "replay-executions": {"filter": {"label": ["team:nobody"]}},
        "migrate-execution": {"version": 1},
        "run-draft": {"input": {"who": "walker"}},
        "try-step": {"scope": {}},
        "replay-golden": {"last": 5},
        "resume-execution": {"decision": "go-on"},
        "cancel-executions": {"filter": {"label": ["team:nobody"]}},
        "pause-executions": {"filter": {"label": ["team:nobody"]}},
        "resume-executions": {"filter": {"label": ["team:nobody"]}},
        "export-executions": {"filter": {"label": ["team:nobody"]}},
        "resend-calls": {"filter": {"path": ["nobody-calls-this"]}},
        "approve-approval": {"comment": "fine"},
        "reject-approval": {"comment": "no"},
        "set-publishing-policy": {"review": False},
        "set-publishing-gate": {"golden_replay": 0},
        "emit-event": {"type": "custom.walked", "data": {"n": 1}},
        "export-trail": {"format": "jsonl", "from": "2026-01-01T00:00:00Z",
                         "to": "2026-01-02T00:00:00Z"},
        "create-siem-stream": {"url": f"http://{world.receiver}/siem", "format": "ocsf"},
        "change-siem-stream": {"format": "jsonl"},
        "place-hold": walked_hold(world.home.id),
        "resume-signing": {"trail": f"trail_{0:026}"},
    }  # fmt: skip
    return dict(bodies[operation.id])


def content(operation: Operation, world: World, **changes: Any) -> dict[str, Any]:
    """Body and headers of a good request, as keyword arguments of `Api.ask`."""
    headers = {}
    if "If-Match" in operation.names("header"):
        headers["If-Match"] = '"1"'
    if not operation.media:
        return {"headers": headers}
    if operation.raw:
        return {"headers": headers | {"Content-Type": "text/plain"}, "content": b"walk"}
    if YAML in operation.media:
        return {"headers": headers | {"Content-Type": YAML}, "content": greeter("walk").encode()}
    import json

    body = good_body(operation, world) | changes
    headers["Content-Type"] = operation.media[0]
    return {"headers": headers, "content": json.dumps(body).encode()}


def caller(operation: Operation, world: World) -> Api:
    """Who may: the owner, who operates the installation; nobody for what is public."""
    if operation.permission == "public":
        return Api(world.public.base, world.document)
    return world.home.owner


def spoiled(operation: Operation, body: bytes) -> dict[str, Any]:
    """The operation with other bytes as its body, in a type that it takes."""
    media = JSON if JSON in (operation.media or [JSON]) else operation.media[0]
    headers = {"Content-Type": media}
    if "If-Match" in operation.names("header"):
        headers["If-Match"] = '"1"'
    return {"headers": headers, "content": body}


def types_of(operation: Operation, schema: dict[str, Any]) -> set[str] | None:
    """The JSON types that a schema takes; None when it takes any."""
    schema = operation.document.resolve(schema)
    if "anyOf" in schema:
        found = [types_of(operation, option) for option in schema["anyOf"]]
        return None if None in found else set().union(*(f for f in found if f))
    if "type" not in schema:
        return None
    given = schema["type"]
    return {given} if isinstance(given, str) else set(given)


def wrong_values(operation: Operation, schema: dict[str, Any]) -> list[Any]:
    """Values of all types that the schema does not take, also one level down."""
    schema = operation.document.resolve(schema)
    types = types_of(operation, schema)
    if types is None:
        return []
    taken = types | ({"integer"} if "number" in types else set())
    values = [value for name, value in EXAMPLES.items() if name not in taken]
    for option in schema.get("anyOf", [schema]):
        option = operation.document.resolve(option)
        if isinstance(option.get("items"), dict):
            values += [[value] for value in wrong_values(operation, option["items"])]
        if isinstance(option.get("additionalProperties"), dict):
            inner = wrong_values(operation, option["additionalProperties"])
            values += [{"name": value} for value in inner]
    return values


def with_path(operation: Operation) -> bool:
    return "{" in operation.path


def ids_of(organization: Organization, world: World) -> Organization:
    """The home organization with the other's ids: what a curious caller would try."""
    home = world.home
    return Organization(home.id, home.slug, home.owner, home.ids | organization.ids)
