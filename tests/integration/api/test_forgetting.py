"""Forgetting an execution over HTTP: nowhere at once, known to the trail."""

import json
from typing import Any

import httpx
from tests_support.api import YAML, Api
from tests_support.meetings import new
from tests_support.sse import listening
from tests_support.stack import until
from tests_support.world import World, asked, asker

JSON = {"Content-Type": "application/json"}
HOOK = """troth: 1
name: {name}
on:
  - webhook: {{path: {name}, verify: {{scheme: none}}, respond: result}}
steps:
  - id: said
    set: {{n: "${{{{ input.n }}}}"}}
output: {{n: "${{{{ said.n }}}}"}}
"""
PARENT = """troth: 1
name: {name}
steps:
  - id: inner
    workflow: {child}
  - id: nap
    wait: {{for: 1h}}
"""


def published(api: Api, text: str) -> str:
    made = api.post("/v1/workflows", content=text.encode(), headers={"content-type": YAML})
    api.post(f"/v1/workflows/{made['id']}/publish", {"draft_version": 1})
    return made["id"]


def call(world: World, name: str, key: str, n: int = 7) -> httpx.Response:
    """A webhook call, again until the published hook is known."""
    url, body = f"{world.stack.address}/hooks/{world.home.id}/{name}", json.dumps({"n": n})
    said = lambda: httpx.post(url, content=body, headers=JSON | {"Idempotency-Key": key})  # noqa: E731 - local
    return until(lambda: (answer := said()).status_code != 404 and answer)


def ended(api: Api, execution: str) -> dict[str, Any]:
    path = f"/v1/executions/{execution}"
    return until(lambda: (found := api.get(path))["outcome"] is not None and found)


def forget(api: Api, execution: str) -> None:
    answer = api.ask("DELETE", f"/v1/executions/{execution}")
    assert (answer.status_code, answer.content) == (204, b""), answer.text


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_forgotten_execution_is_found_by_no_route_from_then_on(world: World) -> None:
    api, other = world.home.owner, world.home.ids["execution"]
    workflow = published(api, asker(new("asker")))
    execution, approval = asked(api, workflow)
    api.post(f"/v1/approvals/{approval}/approve")
    ended(api, execution)
    mine = f"workflow={workflow}"
    until(lambda: api.get(f"/v1/executions?{mine}&status=succeeded")["data"])
    forget(api, execution)
    at = f"/v1/executions/{execution}"
    for path in (
        at, f"{at}/timeline", f"{at}/effects", f"{at}/data", f"{at}/stream",
        f"{at}/compare?with={other}", f"/v1/executions/{other}/compare?with={execution}",
        f"/v1/approvals/{approval}",
    ):  # fmt: skip
        assert refused(api.ask("GET", path)) == (404, "not-found"), path
    for place in ("1.1", "99.1"):
        answer = api.ask("GET", f"{at}/stream", headers={"Last-Event-ID": place})
        assert refused(answer) == (404, "not-found"), place
    for verb, body in (
        ("cancel", {}), ("pause", {}), ("resume", {}), ("replay", {}), ("migrate", {"version": 1}),
    ):  # fmt: skip
        answer = api.ask("POST", f"{at}/{verb}", body)
        assert refused(answer) == (404, "not-found"), verb
    decided = api.ask("POST", f"/v1/approvals/{approval}/reject")
    assert refused(decided) == (404, "not-found")
    assert refused(api.ask("DELETE", at)) == (404, "not-found")
    assert api.get(f"/v1/executions?{mine}")["data"] == []
    assert execution not in [one["execution"] for one in api.everything("/v1/approvals")]
    assert execution not in [one["execution"] for one in api.everything("/v1/trigger-calls")]
    for verb, more in (("export", {}), ("replay", {"from_step": "ok"})):
        bulk = {"filter": {"workflow": [workflow]}, "dry_run": True} | more
        assert api.post(f"/v1/executions/{verb}", bulk) == {"count": 0}, verb
    golden = api.post(f"/v1/workflows/{workflow}/draft/golden-replay", {})
    assert golden["total"] == 0


def test_what_came_with_its_call_is_forgotten_with_it(world: World) -> None:
    api, name = world.home.owner, new("hook")
    workflow = published(api, HOOK.format(name=name))
    first = call(world, name, "once", 41)
    assert (first.status_code, first.json()) == (200, {"n": 41})
    assert call(world, name, "once", 41).headers["idempotency-replayed"] == "true"
    execution = first.headers["troth-execution"]
    ledger = f"/v1/trigger-calls?path={name}&outcome="
    started = until(lambda: api.get(ledger + "started")["data"])[0]
    repeated = until(lambda: api.get(ledger + "duplicate")["data"])[0]
    assert api.get(f"/v1/trigger-calls/{started['id']}/data")["body"] == {"n": 41}
    forget(api, execution)
    for known in (started["id"], repeated["id"]):
        path = f"/v1/trigger-calls/{known}"
        assert refused(api.ask("GET", f"{path}/data")) == (404, "not-found")
        assert refused(api.ask("POST", f"{path}/resend")) == (404, "not-found")
    again = httpx.post(
        f"{world.stack.address}/hooks/{world.home.id}/{name}", content=b'{"n": 41}',
        headers=JSON | {"Idempotency-Key": "once"},
    )  # fmt: skip
    assert refused(again) == (404, "not-found"), "its key is still taken, its answer is not said"
    assert api.get(f"/v1/executions?workflow={workflow}")["data"] == []


def test_what_has_not_ended_or_is_waited_for_is_not_forgotten(world: World) -> None:
    api, child = world.home.owner, new("child")
    published(api, f"troth: 1\nname: {child}\nsteps:\n  - id: one\n    set: {{n: 1}}\n")
    parent = published(api, PARENT.format(name=new("parent"), child=child))
    going = api.post(f"/v1/workflows/{parent}/executions", {})["execution"]
    inner = until(lambda: api.get(f"/v1/executions?workflow={child}&status=succeeded")["data"])
    for execution in (going, inner[0]["id"]):
        answer = api.ask("DELETE", f"/v1/executions/{execution}")
        assert refused(answer) == (409, "execution-not-ended")
    api.post(f"/v1/executions/{going}/cancel")
    ended(api, going)
    for execution in (inner[0]["id"], going):
        forget(api, execution)


def test_only_who_controls_executions_of_the_organization_may_forget(world: World) -> None:
    api = world.home.owner
    workflow = published(api, f"troth: 1\nname: {new('mine')}\nsteps:\n  - id: a\n    set: {{}}\n")
    execution = api.post(f"/v1/workflows/{workflow}/executions", {})["execution"]
    ended(api, execution)
    path = f"/v1/executions/{execution}"
    assert refused(world.other.owner.ask("DELETE", path)) == (404, "not-found")
    reader = world.key("executions:read", "payloads:read")
    assert refused(reader.ask("DELETE", path)) == (403, "permission-missing")
    controller = world.key("executions:control")
    with listening(api, "/v1/events/stream?type=executor.event.execution-forgotten") as heard:
        forget(controller, execution)
        said = heard.wait(lambda h: h.data)[0]
    assert said["data"] == {"execution_id": execution, "workflow_id": workflow, "events": 2}
    trail = "/v1/audit/events?type=executor.event.execution-forgotten&limit=1"
    entry = until(lambda: api.get(trail)["data"])[0]
    assert (entry["resource"], entry["actor"]) == (execution, said["actor"])
    assert entry["actor"].startswith("key_")
