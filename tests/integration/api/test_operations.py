"""Executions under a caller's hand, over HTTP: one, all of a filter, and what they changed."""

from typing import Any

from tests_support.api import YAML, Api
from tests_support.meetings import new, published
from tests_support.stack import until
from tests_support.world import World, greeter

SLEEPS = """troth: 1
name: {name}
input: {{type: object, properties: {{n: {{type: integer}}}}}}
concurrency: {{key: "${{{{ input.n }}}}", limit: 1}}
steps: [{{id: nap, wait: {{for: 1h}}}}]
"""


def sleepers(api: Api, count: int) -> tuple[str, list[str]]:
    """A workflow with so many executions that wait, each with its number as its key."""
    text = SLEEPS.format(name=new("sleeps"))
    made = api.post("/v1/workflows", content=text.encode(), headers={"content-type": YAML})
    path = f"/v1/workflows/{made['id']}"
    api.post(f"{path}/publish", {"draft_version": 1})
    started = [
        api.post(f"{path}/executions", {"input": {"n": n}})["execution"] for n in range(count)
    ]
    waiting(api, made["id"], "waiting", count)
    return made["id"], started


def waiting(api: Api, workflow: str, status: str, count: int) -> None:
    path = f"/v1/executions?workflow={workflow}&status={status}&limit=200"
    until(lambda: len(api.get(path)["data"]) == count, 30, lambda: api.get(path))


def wait(seconds: int = 30) -> dict[str, str]:
    return {"Prefer": f"wait={seconds}"}


def test_one_is_paused_and_goes_on(world: World) -> None:
    owner = world.home.owner
    _, (execution,) = sleepers(owner, 1)
    path = f"/v1/executions/{execution}"
    assert owner.post(f"{path}/pause", {"reason": "a look"})["status"] == "paused"
    assert owner.get(path)["status"] == "paused"
    answer = owner.ask("POST", f"{path}/resume", {"decision": "retry", "value": 1})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/value")
    assert owner.post(f"{path}/resume", {})["status"] != "paused"
    until(lambda: owner.get(path)["status"] == "waiting")


def test_all_of_a_filter_are_counted_paused_resumed_and_cancelled(world: World) -> None:
    owner = world.home.owner
    workflow, started = sleepers(owner, 12)
    wanted = {"filter": {"workflow": [workflow], "status": ["waiting"]}}
    counted = owner.post("/v1/executions/pause", wanted | {"dry_run": True})
    assert counted == {"count": 12}
    answer = owner.ask("POST", "/v1/executions/pause", wanted, wait())
    operation = answer.json()
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=30")
    assert answer.headers["location"] == f"/v1/operations/{operation['id']}"
    assert (operation["status"], operation["done"], operation["total"]) == ("succeeded", 12, 12)
    assert operation["result"] == {"done": 12, "refused": 0, "refusals": {}}
    waiting(owner, workflow, "paused", 12)
    result = owner.everything(f"/v1/operations/{operation['id']}/result", limit=5)
    assert {piece["item"] for piece in result} == set(started)
    assert {piece["outcome"] for piece in result} == {"done"}

    wanted = {"filter": {"workflow": [workflow]}}
    owner.ask("POST", "/v1/executions/resume", wanted, wait())
    waiting(owner, workflow, "waiting", 12)
    name = owner.get(f"/v1/workflows/{workflow}")["name"]
    by_name = {"filter": {"workflow": [name]}, "reason": "no more"}
    assert owner.ask("POST", "/v1/executions/cancel", by_name, wait()).json()["done"] == 12
    waiting(owner, workflow, "cancelled", 12)
    assert owner.post("/v1/executions/cancel", wanted | {"dry_run": True}) == {"count": 0}


def test_an_operation_is_its_callers_own_and_can_be_stopped(world: World) -> None:
    owner, runner = world.home.owner, world.member("rob", "runner")
    answer = owner.ask("POST", "/v1/executions/cancel", {"filter": {"path": []}})
    assert answer.status_code == 422
    made = owner.ask("POST", "/v1/executions/cancel", {"filter": {"label": ["team:nobody"]}})
    assert made.status_code == 202
    path = made.headers["location"]
    ended = until(lambda: (o := owner.get(path))["ended_at"] and o)
    assert (ended["status"], ended["total"]) == ("succeeded", 0)
    assert runner.ask("GET", path).status_code == 404
    assert path.rpartition("/")[2] not in str(runner.get("/v1/operations"))
    assert owner.get("/v1/operations?kind=cancel-executions&status=succeeded")["data"]
    assert owner.post(f"{path}/cancel")["status"] == "succeeded"


def test_calls_that_matched_nothing_are_sent_again_when_something_listens(world: World) -> None:
    owner, path = world.home.owner, new("late")
    for n in range(3):
        world.public.client.post(f"/hooks/{world.home.id}/{path}", json={"who": str(n)})
    unmatched = f"/v1/trigger-calls?path={path}&outcome=unmatched"
    until(lambda: len(owner.get(unmatched)["data"]) == 3)
    made = published(world, greeter(path))
    wanted = {"filter": {"path": [path], "outcome": ["unmatched"]}}
    assert owner.post("/v1/trigger-calls/resend", wanted | {"dry_run": True}) == {"count": 3}
    done = owner.ask("POST", "/v1/trigger-calls/resend", wanted, wait()).json()
    assert done["result"] == {"done": 3, "refused": 0, "refusals": {}}, done
    pieces = owner.get(f"/v1/operations/{done['id']}/result")["data"]
    executions = f"/v1/executions?workflow={made['id']}"
    until(lambda: len(owner.get(executions)["data"]) == 3)
    assert {p["made"] for p in pieces} == {e["id"] for e in owner.get(executions)["data"]}
    assert owner.post("/v1/trigger-calls/resend", wanted | {"dry_run": True}) == {"count": 0}


# -- what they changed, and finding them ---------------------------------------------------------

EFFECTS = """troth: 1
name: {name}
steps:
  - id: made
    uses: http-request@1
    with: {{method: POST, url: "http://{receiver}/made", json: {{hush: "${{{{ secret.quiet }}}}"}}}}
    undo: {{uses: http-request@1, with: {{method: DELETE, url: "http://{receiver}/gone"}}}}
  - id: each
    for_each: ${{{{ [1, 2] }}}}
    as: n
    steps:
      - id: bad
        uses: http-request@1
        with: {{method: POST, url: "http://{receiver}/gone", text: "number ${{{{ n }}}}"}}
"""


def effects(world: World) -> tuple[Any, Any]:
    owner = world.home.owner
    owner.put("/v1/secrets/quiet", {"value": "whisper-whisper"})
    made = published(world, EFFECTS.format(name=new("effects"), receiver=world.receiver))
    path = f"/v1/workflows/{made['id']}/executions"
    started = owner.ask("POST", path, {}, wait()).json()
    return made, owner.get(f"/v1/executions/{started['execution']}")


def test_the_ledger_says_what_was_changed_and_how_it_was_undone(world: World) -> None:
    owner = world.home.owner
    _, execution = effects(world)
    path = f"/v1/executions/{execution['id']}"
    made, bad = owner.get(f"{path}/effects")["data"]
    assert (made["step"], made["outcome"], made["effect"]) == ("made", "done", "write")
    assert made["idempotency_key"] == f"{execution['id']}:made"
    assert [(a["attempt"], a["outcome"], a["status"]) for a in made["attempts"]] == [
        (1, "done", 200)
    ]
    undo = made["undo"]
    assert undo["state"] == "failed", "the receiver refuses a DELETE"
    assert undo["idempotency_key"] == f"{execution['id']}:made:undo"
    assert undo["attempts"][-1]["outcome"] == "failed"
    assert (bad["step"], bad["outcome"], bad["undo"]["state"]) == ("bad[0]", "failed", "none")


def test_a_failure_tells_step_item_attempt_what_was_sent_and_what_came_back(world: World) -> None:
    owner = world.home.owner
    _, execution = effects(world)
    error = execution["error"]
    assert (error["type"], error["step"], error["item"]) == ("client-error", "bad[0]", "[0]")
    assert (error["attempts"], error["status"], error["also"]) == (1, 410, [])
    assert "see in the step's data" in error["remedy"]
    path = f"/v1/executions/{execution['id']}/data"
    failed = owner.get(f"{path}?step=bad[0]")
    assert failed["sent"]["text"] == "number 1"
    assert failed["error"].startswith("status 410") and failed["result"] is None
    done = owner.get(f"{path}?step=made")
    assert done["result"]["status"] == 200 and "whisper" not in str(done)
    assert done["undo_error"].startswith("status ")


def test_executions_are_found_by_key_parent_and_words_of_their_errors(world: World) -> None:
    owner = world.home.owner
    workflow, started = sleepers(owner, 3)
    found = owner.get(f"/v1/executions?key=1&workflow={workflow}")["data"]
    assert [e["id"] for e in found] == [started[1]]
    assert started[1] in [e["id"] for e in owner.get("/v1/executions?key=1")["data"]]
    assert not owner.get(f"/v1/executions?key=99&workflow={workflow}")["data"]
    assert owner.get(f"/v1/executions?parent={started[0]}")["data"] == []

    made, execution = effects(world)
    of = f"/v1/executions?workflow={made['id']}&q="
    world.stack.settled()
    assert [e["id"] for e in owner.get(f"{of}STATUS 410")["data"]] == [execution["id"]]
    assert owner.get(f"{of}no such words")["data"] == []
    refused = world.member("vic", "viewer").ask("GET", f"{of}status")
    assert (refused.status_code, refused.json()["permission"]) == (403, "payloads:read")
    wanted = {"filter": {"q": "status 410", "workflow": [made["id"]]}, "dry_run": True}
    assert owner.post("/v1/executions/cancel", wanted) == {"count": 0}, "it has ended"
