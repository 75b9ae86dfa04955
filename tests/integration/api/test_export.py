"""Exports over HTTP: a line for each execution, for those who may, for a day, sealed meanwhile."""

import json
from typing import Any

from tests_support.api import YAML, Api
from tests_support.meetings import new
from tests_support.stack import until
from tests_support.world import MARK, World

LINES = {"Accept": "application/jsonl"}
ECHO = """troth: 1
name: {name}
input: {{type: object, properties: {{n: {{type: integer}}, text: {{type: string}}}}}}
steps:
  - id: said
    set: {{n: "${{{{ input.n }}}}"}}
output: {{n: "${{{{ said.n }}}}"}}
"""


def started(api: Api, count: int, text: str) -> tuple[str, list[str]]:
    """A workflow with so many executions that have ended."""
    document = ECHO.format(name=new("echo")).encode()
    made = api.post("/v1/workflows", content=document, headers={"content-type": YAML})
    path = f"/v1/workflows/{made['id']}"
    api.post(f"{path}/publish", {"draft_version": 1})
    names = [
        api.post(f"{path}/executions", {"input": {"n": n, "text": text}})["execution"]
        for n in range(count)
    ]
    listed = f"/v1/executions?workflow={made['id']}&status=succeeded&limit=200"
    until(lambda: len(api.get(listed)["data"]) == count, 30)
    return made["id"], names


def export(api: Api, workflow: str) -> dict[str, Any]:
    wanted = {"filter": {"workflow": [workflow]}}
    answer = api.ask("POST", "/v1/executions/export", wanted, {"Prefer": "wait=60"})
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded"), answer.text
    return answer.json()


def test_an_export_has_a_line_for_each_execution_also_of_large_ones(world: World) -> None:
    owner = world.home.owner
    workflow, names = started(owner, 12, MARK + "x" * 200_000)
    counted = owner.post(
        "/v1/executions/export", {"filter": {"workflow": [workflow]}, "dry_run": True}
    )
    assert counted == {"count": 12}
    made = export(owner, workflow)
    assert made["result"] == {"done": 12, "refused": 0, "refusals": {}}
    result = f"/v1/operations/{made['id']}/result"
    answer = owner.ask("GET", result, headers=LINES)
    assert (answer.status_code, answer.headers["content-type"]) == (200, LINES["Accept"])
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["id"] for line in lines] == names[::-1], "newest first, as lists have them"
    for line in lines:
        n = names.index(line["id"])
        assert line["data"]["input"]["n"] == line["data"]["output"]["n"] == n
        shown = owner.get(f"/v1/executions/{line['id']}")
        assert {k: v for k, v in line.items() if k != "data"} == shown
    pieces = owner.everything(result, limit=200)
    assert [piece["value"] for piece in pieces] == lines, "pages are shorter, nothing is left out"
    kept = "select count(*), count(*) filter (where value like %s) from operation_pieces"
    [(rows, readable)] = world.stack.rows("executor", kept, f"%{MARK}%")
    assert rows >= 12 and readable == 0


def test_an_export_is_its_callers_own_and_needs_the_permission(world: World) -> None:
    owner = world.home.owner
    workflow, _ = started(owner, 1, "a")
    made = export(owner, workflow)
    result = f"/v1/operations/{made['id']}/result"
    for who in (world.other.owner, world.key("payloads:read")):
        answer = who.ask("GET", result, headers=LINES)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    viewer = world.member("vic", "viewer")
    answer = viewer.ask("POST", "/v1/executions/export", {"filter": {}})
    assert (answer.status_code, answer.json()["permission"]) == (403, "payloads:read")


def test_a_result_is_not_given_before_the_end(world: World) -> None:
    owner = world.home.owner
    workflow, _ = started(owner, 1, "a")
    made = export(owner, workflow)
    result = f"/v1/operations/{made['id']}/result"

    def too_early() -> bool:
        """Opened again, until the service ends it once more."""
        with world.stack.connect("executor") as executor:
            executor.execute("update operations set ended_at = null where id = %s", (made["id"],))
        answer = owner.ask("GET", result, headers=LINES)
        if answer.status_code == 200:
            return False
        assert (answer.status_code, answer.json()["code"]) == (409, "operation-running")
        return True

    until(too_early)
    until(lambda: owner.ask("GET", result, headers=LINES).status_code == 200)


def test_an_export_is_gone_after_a_day_and_other_operations_are_not(world: World) -> None:
    owner = world.home.owner
    workflow, _ = started(owner, 1, "a")
    made = export(owner, workflow)
    wanted = {"filter": {"workflow": [workflow]}}
    other = owner.ask("POST", "/v1/executions/cancel", wanted, {"Prefer": "wait=30"}).json()
    with world.stack.connect("executor") as executor:
        executor.execute(
            "update operations set ended_at = ended_at - interval '25 hours' where id = any(%s)",
            ([made["id"], other["id"]],),
        )
    until(lambda: owner.ask("GET", f"/v1/operations/{made['id']}").status_code == 404)
    left = "select count(*) from operation_pieces where operation = %s"
    assert world.stack.rows("executor", left, made["id"]) == [(0,)]
    assert owner.get(f"/v1/operations/{other['id']}")["status"] == "succeeded"
