"""Requests that change what becomes of the trail: where it is carried, what of it is held."""

from tests_support.api import MERGE
from tests_support.changes import Line, change, tag
from tests_support.world import World


def siem(world: World) -> str:
    body = {"url": f"http://{world.receiver}/siem", "format": "ocsf"}
    return f"/v1/audit/siem-streams/{world.home.owner.post('/v1/audit/siem-streams', body)['id']}"


@change("create-siem-stream")
def _(world: World) -> Line:
    body = {"url": f"http://{world.receiver}/siem", "format": "ocsf"}
    return world.home.owner, "POST", "/v1/audit/siem-streams", {"json": body}


@change("change-siem-stream")
def _(world: World) -> Line:
    path = siem(world)
    headers = tag(world.home.owner, path) | {"Content-Type": MERGE}
    return world.home.owner, "PATCH", path, {"content": b'{"format": "jsonl"}', "headers": headers}


@change("rotate-siem-secret")
def _(world: World) -> Line:
    return world.home.owner, "POST", f"{siem(world)}/rotate-secret", {}


@change("delete-siem-stream")
def _(world: World) -> Line:
    path = siem(world)
    return world.home.owner, "DELETE", path, {"headers": tag(world.home.owner, path)}


def hold(world: World) -> dict[str, str]:
    return {
        "organization_id": world.home.id, "reason": "litigation",
        "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z",
        "expires_at": "2099-01-01T00:00:00Z",
    }  # fmt: skip


@change("place-hold")
def _(world: World) -> Line:
    return world.home.owner, "POST", "/v1/audit/holds", {"json": hold(world)}


@change("lift-hold")
def _(world: World) -> Line:
    made = world.home.owner.post("/v1/audit/holds", hold(world))
    return world.home.owner, "DELETE", f"/v1/audit/holds/{made['id']}", {}
