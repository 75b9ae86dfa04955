"""How a caller meets the codes of executions: what has ended, what is not paused or decided."""

import httpx

from tests_support.api import YAML
from tests_support.meetings import drafted, meets, new, published
from tests_support.stack import until
from tests_support.world import World, asked


@meets("execution-ended")
def _(world: World) -> httpx.Response:
    path = f"/v1/executions/{world.home.ids['execution']}/pause"
    return world.home.owner.ask("POST", path, {})


@meets("not-paused")
def _(world: World) -> httpx.Response:
    execution, _ = asked(world.home.owner, world.home.ids["asks"])
    return world.home.owner.ask("POST", f"/v1/executions/{execution}/resume", {})


@meets("approval-closed")
def _(world: World) -> httpx.Response:
    owner = world.home.owner
    execution, approval = asked(owner, world.home.ids["asks"])
    owner.post(f"/v1/executions/{execution}/cancel", {})
    path = f"/v1/executions/{execution}"
    until(lambda: owner.get(path)["status"] == "cancelled")
    return owner.ask("POST", f"/v1/approvals/{approval}/approve", {})


@meets("approval-changed")
def _(world: World) -> httpx.Response:
    _, approval = asked(world.home.owner, world.home.ids["asks"])
    body = {"input_version": 1}
    return world.home.owner.ask("POST", f"/v1/approvals/{approval}/approve", body)


@meets("unknown-step")
def _(world: World) -> httpx.Response:
    path = f"/v1/executions/{world.home.ids['execution']}/replay"
    return world.home.owner.ask("POST", path, {"from_step": "nothing"})


@meets("not-compatible")
def _(world: World) -> httpx.Response:
    owner = world.home.owner
    name = new("moves")
    waits = f"troth: 1\nname: {name}\nsteps: [{{id: nap, wait: {{for: 1h}}}}]\n"
    made = published(world, waits)
    path = f"/v1/workflows/{made['id']}"
    execution = owner.post(f"{path}/executions", {})["execution"]
    until(lambda: owner.get(f"/v1/executions/{execution}")["status"] == "waiting")
    tag = owner.ask("GET", path).headers["etag"]
    headers = {"content-type": YAML, "if-match": tag}
    text = waits.replace("nap", "rest").encode()
    saved = owner.ask("PUT", f"{path}/draft", content=text, headers=headers)
    version = int(saved.headers["etag"].strip('"'))
    owner.post(f"{path}/publish", {"draft_version": version})
    return owner.ask("POST", f"/v1/executions/{execution}/migrate", {"version": 2})


TESTED = """troth: 1
name: {name}
steps: [{{id: a, set: {{x: "${{{{ input.n }}}}"}}}}]
output: "${{{{ a.x }}}}"
tests: [{{name: one, input: {{n: 1}}, expect: {{output: {output}}}}}]
"""


@meets("execution-not-ended")
def _(world: World) -> httpx.Response:
    execution, _ = asked(world.home.owner, world.home.ids["asks"])
    return world.home.owner.ask("DELETE", f"/v1/executions/{execution}")


@meets("file-missing")
def _(world: World) -> httpx.Response:
    path = f"/v1/workflows/{world.home.ids['workflow']}/executions"
    body = {"input": {"doc": {"$file": world.other.ids["file"]}}}
    return world.home.owner.ask("POST", path, body)


@meets("tests-failed")
def _(world: World) -> httpx.Response:
    made = drafted(world.home.owner, TESTED.format(name=new("tested"), output=2))
    path = f"/v1/workflows/{made['id']}/publish"
    return world.home.owner.ask("POST", path, {"draft_version": 1})


@meets("golden-replay-differs")
def _(world: World) -> httpx.Response:
    owner = world.home.owner
    text = TESTED.format(name=new("golden"), output=1)
    made = published(world, text)
    path = f"/v1/workflows/{made['id']}"
    execution = owner.post(f"{path}/executions", {"input": {"n": 1}})["execution"]
    until(lambda: owner.get(f"/v1/executions/{execution}")["outcome"] == "succeeded")
    found = f"/v1/executions?workflow={made['id']}&outcome=succeeded"
    until(lambda: owner.get(found)["data"])
    headers = {"content-type": YAML, "if-match": owner.ask("GET", path).headers["etag"]}
    other = text.replace("input.n }}", "input.n + 0 }}").replace("{x:", "{y: 1, x:").encode()
    saved = owner.ask("PUT", f"{path}/draft", content=other, headers=headers)
    version = int(saved.headers["etag"].strip('"'))
    gate = {"draft_version": version, "gate": {"golden_replay": 5}}
    return owner.ask("POST", f"{path}/publish", gate)
