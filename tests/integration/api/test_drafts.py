"""Drafts at work and executions done again, over HTTP and by the command line."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from tests_support.api import YAML, Api
from tests_support.meetings import new
from tests_support.stack import until
from tests_support.world import World

from cli.main import main

TEXT = """troth: 1
name: {name}
input: {{type: object, properties: {{n: {{type: integer, default: 2}}}}}}
steps:
  - {{id: twice, set: {{x: "${{{{ input.n * 2 }}}}"}}}}
  - id: each
    for_each: "${{{{ range(input.n) }}}}"
    as: i
    steps:
      - id: post
        uses: http-request@1
        with: {{method: POST, url: "http://{receiver}/${{{{ i }}}}", json: {{x: "${{{{ i }}}}"}}}}
output: {{x: "${{{{ twice.x }}}}", seen: "${{{{ len(each) }}}}"}}
tests:
  - {{name: two, mocks: {{post: {{status: 200}}}}, expect: {{output: {{x: 4, seen: 2}}}}}}
"""


@pytest.fixture
def workflow(world: World) -> str:
    text = TEXT.format(name=new("works"), receiver=world.receiver).encode()
    made = world.home.owner.post("/v1/workflows", content=text, headers={"content-type": YAML})
    assert made["problems"] == []
    return made["id"]


def ended(api: Api, execution: str) -> dict[str, Any]:
    path = f"/v1/executions/{execution}"
    return until(lambda: (one := api.get(path))["outcome"] and one, 20)


def changed(api: Api, workflow: str, old: str, new_: str) -> int:
    path = f"/v1/workflows/{workflow}"
    draft = api.ask("GET", f"{path}/draft", headers={"Accept": "*/*"})
    headers = {"content-type": YAML, "if-match": draft.headers["etag"]}
    text = draft.text.replace(old, new_).encode()
    saved = api.ask("PUT", f"{path}/draft", content=text, headers=headers)
    assert saved.json()["problems"] == [], saved.text
    return int(saved.headers["etag"].strip('"'))


def test_a_draft_is_tested_tried_and_run(world: World, workflow: str) -> None:
    owner, path = world.home.owner, f"/v1/workflows/{workflow}/draft"

    assert owner.post(f"{path}/test")["passed"]
    said = owner.post(f"{path}/steps/twice/try", {"input": {"n": 4}})
    assert (said["outcome"], said["result"]) == ("succeeded", {"x": 8})
    said = owner.post(f"{path}/steps/post/try", {"scope": {"i": 1}, "mock": {"status": 204}})
    assert said["result"] == {"status": 204} and said["effects"][0]["sent"]["json"] == {"x": 1}
    answer = owner.ask("POST", f"{path}/run", {"input": {"n": 3}, "pins": {"post[0]": {}}})
    assert answer.status_code == 202
    execution = answer.json()["execution"]
    assert answer.headers["location"] == f"/v1/executions/{execution}"
    shown = ended(owner, execution)
    assert (shown["mode"], shown["outcome"], shown["effects_count"]) == ("draft", "succeeded", 2)
    until(lambda: owner.get(f"/v1/executions?mode=draft&workflow={workflow}")["data"])


def test_an_execution_is_done_again_compared_and_held_against_the_draft(
    world: World, workflow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, path = world.home.owner, f"/v1/workflows/{workflow}"
    owner.post(f"{path}/publish", {"draft_version": 1})
    first = owner.post(f"{path}/executions", {"input": {"n": 2}})["execution"]
    ended(owner, first)

    answer = owner.ask("POST", f"/v1/executions/{first}/replay", {"from_step": "post[1]"})
    again = answer.json()["id"]
    assert (answer.status_code, answer.headers["location"]) == (201, f"/v1/executions/{again}")
    assert ended(owner, again)["effects_count"] == 1
    found = owner.get(f"/v1/executions/{first}/compare?with={again}")
    assert found["outcome"] == found["other_outcome"] == "succeeded"
    bulk = {"filter": {"workflow": [workflow], "mode": ["live"]}, "from_step": "each"}
    until(lambda: owner.post("/v1/executions/replay", bulk | {"dry_run": True}) == {"count": 1})
    done = owner.ask("POST", "/v1/executions/replay", bulk, {"Prefer": "wait=20"}).json()
    assert done["result"] == {"done": 1, "refused": 0, "refusals": {}}

    monkeypatch.setenv("TROTH_URL", world.stack.address)
    monkeypatch.setenv("TROTH_TOKEN", owner.tokens[0])
    monkeypatch.setenv("TROTH_ORGANIZATION", world.home.id)
    until(
        lambda: owner.get(f"/v1/executions?mode=live&outcome=succeeded&workflow={workflow}")["data"]
    )
    said = CliRunner().invoke(main, ["golden", workflow, "--json"])
    assert said.exit_code == 0, said.output
    changed(owner, workflow, "input.n * 2", "input.n * 3")
    said = CliRunner().invoke(main, ["golden", workflow, "--json"])
    report = json.loads(said.stdout)
    assert said.exit_code == 1 and report["executions"][0]["first"]["step"] == "twice"
    assert "twice" in CliRunner().invoke(main, ["golden", workflow]).output
    said = CliRunner().invoke(main, ["replay", first, "--from", "each", "--json"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["output"] == {"x": 4, "seen": 2}
