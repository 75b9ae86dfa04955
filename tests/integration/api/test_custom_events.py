"""`POST /v1/events` over HTTP: an organization's own event starts a workflow, once per id."""

from typing import Any

from tests_support.api import YAML, Api
from tests_support.meetings import new
from tests_support.stack import until
from tests_support.world import World

HEARS = """
troth: 1
name: {name}
on:
  - event: {{type: custom.{name}, match: "${{{{ event.data.n > 1 }}}}"}}
steps:
  - id: seen
    set: {{n: "${{{{ input.n }}}}", by: "${{{{ trigger.event_id }}}}"}}
output: ${{{{ seen }}}}
"""


def hears(api: Api) -> str:
    name = new("hears")
    headers = {"content-type": YAML}
    api.post("/v1/workflows", content=HEARS.format(name=name).encode(), headers=headers)
    api.post(f"/v1/workflows/{name}/publish", {"draft_version": 1})
    return name


def executions(api: Api, name: str) -> list[dict[str, Any]]:
    found = api.get(f"/v1/executions?workflow={name}")["data"]
    return [e for e in found if e["outcome"] is not None]


def test_an_event_of_ones_own_starts_a_workflow_once(world: World) -> None:
    owner = world.home.owner
    name = hears(owner)
    said = {"type": f"custom.{name}", "data": {"n": 7}, "id": "order-7"}

    first = owner.ask("POST", "/v1/events", said)
    second = owner.ask("POST", "/v1/events", said)
    other = owner.ask("POST", "/v1/events", said | {"data": {"n": 8}})
    owner.post("/v1/events", {"type": f"custom.{name}", "data": {"n": 1}})

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json() == {"id": first.json()["id"], "type": f"custom.{name}"}
    assert second.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    until(lambda: executions(owner, name))
    (execution,) = executions(owner, name)
    trigger = execution["trigger"]
    assert (trigger["kind"], trigger["event_id"]) == ("event", first.json()["id"])
    data = owner.get(f"/v1/executions/{execution['id']}/data")
    assert data["output"] == {"n": 7, "by": first.json()["id"]}
    calls = owner.get(f"/v1/trigger-calls?kind=event&workflow={execution['workflow']}")["data"]
    assert [(c["outcome"], c["execution"]) for c in calls] == [("started", execution["id"])]


def test_the_feed_shows_that_it_was_said_but_not_what(world: World) -> None:
    owner = world.home.owner
    name = new("told")
    event = owner.post("/v1/events", {"type": f"custom.{name}", "data": {"n": "told-nobody"}})
    path = f"/v1/events?type=executor.event.custom-event-emitted&subject={event['id']}"

    until(lambda: owner.get(path)["data"])

    (seen,) = owner.get(path)["data"]
    assert seen["data"]["event_type"] == f"custom.{name}"
    assert "data" not in seen["data"]


def test_what_is_no_type_of_ones_own_is_refused(world: World) -> None:
    for name in ("paid", "custom.", "custom.Paid", "executor.event.execution-finished",
                 f"custom.{'x' * 81}"):  # fmt: skip
        answer = world.home.owner.ask("POST", "/v1/events", {"type": name})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/type")
    large = {"type": "custom.large", "data": "x" * 65_536}
    assert world.home.owner.ask("POST", "/v1/events", large).status_code == 413


def test_an_event_that_a_step_says_counts_as_caused_by_its_execution(world: World) -> None:
    owner = world.home.owner
    name = hears(owner)
    owner.post("/v1/events", {"type": f"custom.{name}", "data": {"n": 2}})
    until(lambda: executions(owner, name))
    cause = executions(owner, name)[0]["id"]

    headers = {"idempotency-key": f"{cause}:say"}
    body = {"type": f"custom.{name}", "data": {"n": 3}}
    owner.ask("POST", "/v1/events", body, headers=headers)

    until(lambda: len(executions(owner, name)) == 2)
    assert {e["trigger"]["depth"] for e in executions(owner, name)} == {1, 2}
