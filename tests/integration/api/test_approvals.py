"""People decide over HTTP: who may, how many must, what they change, and what is too late."""

from typing import Any

from tests_support.api import YAML, Api
from tests_support.meetings import new
from tests_support.stack import until
from tests_support.world import World, asked, asker

EDITABLE = """      quorum: 2
      input:
        schema: {type: object, properties: {n: {type: integer, maximum: 100}}, required: [n]}
        value: {n: "${{ input.n }}"}
      not_the_starter: true
"""


def publish(api: Api, text: str) -> str:
    made = api.post("/v1/workflows", content=text.encode(), headers={"content-type": YAML})
    api.post(f"/v1/workflows/{made['id']}/publish", {"draft_version": 1})
    return made["id"]


def me(api: Api) -> str:
    return f"person:{api.get('/v1/me')['person']['id']}"


def code(api: Api, approval: str, verb: str, body: Any = None) -> tuple[int, str]:
    answer = api.ask("POST", f"/v1/approvals/{approval}/{verb}", body or {})
    return answer.status_code, answer.json().get("code")


def ended(api: Api, execution: str) -> Any:
    path = f"/v1/executions/{execution}"
    return until(lambda: (e := api.get(path))["outcome"] is not None and e)


def test_two_of_three_approve_the_starter_cannot_and_what_they_change_counts(
    world: World,
) -> None:
    owner = world.home.owner
    ann, bob, eve = (world.member(name, "runner") for name in ("ann", "bob", "eve"))
    workflow = publish(owner, asker(
        new("pay"), "role:owner", me(ann), me(bob), more=EDITABLE))  # fmt: skip
    execution, approval = asked(owner, workflow)

    (waits,) = [a for a in ann.get("/v1/approvals?status=pending")["data"] if a["id"] == approval]
    assert waits["message"].startswith("Pay 7") and waits["input"] == {"n": 7}
    assert (waits["quorum"], waits["decisions_count"], waits["editable"]) == (2, 0, True)
    assert approval not in [a["id"] for a in eve.get("/v1/approvals")["data"]]
    unnamed = eve.get(f"/v1/approvals/{approval}")
    assert (unnamed["named"], unnamed["message"], unnamed["input"]) == (False, None, None)

    assert code(owner, approval, "approve") == (403, "permission-missing"), "the starter"
    assert code(eve, approval, "approve") == (403, "permission-missing"), "not named"
    key = world.key("approvals:decide")
    assert code(key, approval, "approve") == (403, "person-needed")
    refused = ann.ask("POST", f"/v1/approvals/{approval}/approve", {"input": {"n": 101}})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/input/n")

    said = ann.post(f"/v1/approvals/{approval}/approve", {"comment": "ok", "input": {"n": 41}})
    assert (said["status"], said["decisions_count"]) == ("pending", 1)
    assert code(ann, approval, "approve") == (409, "already-decided")
    assert code(ann, approval, "reject") == (409, "already-decided")
    assert owner.get(f"/v1/executions/{execution}")["status"] == "waiting"
    said = bob.post(f"/v1/approvals/{approval}/approve", {})
    assert (said["status"], said["decisions_count"]) == ("approved", 2)
    assert ended(owner, execution)["outcome"] == "succeeded"
    data = owner.get(f"/v1/executions/{execution}/data")
    assert data["output"] == {"decision": "approved", "input": {"n": 41}}
    world.stack.settled()
    shown = bob.get(f"/v1/approvals/{approval}")
    assert (shown["status"], len(shown["decisions"])) == ("approved", 2)
    assert code(bob, approval, "approve") == (409, "approval-closed")


def test_nobody_approves_what_was_changed_behind_their_back(world: World) -> None:
    owner = world.home.owner
    ann, bob = (world.member(name, "runner") for name in ("ann", "bob"))
    workflow = publish(owner, asker(new("changed"), me(ann), me(bob), more=EDITABLE))
    execution, approval = asked_of(owner, ann, workflow)
    path = f"/v1/approvals/{approval}/approve"

    said = ann.post(path, {"input": {"n": 7}})
    assert (said["input_version"], said["decisions_count"]) == (0, 1), "the same is no change"
    said = bob.post(path, {"input": {"n": 99}, "input_version": 0})
    assert (said["status"], said["input"], said["input_version"]) == ("pending", {"n": 99}, 1)
    assert (said["decisions_count"], [d["changed"] for d in said["decisions"]]) == (
        1,
        [False, True],
    )
    assert code(ann, approval, "approve", {"input_version": 0}) == (409, "approval-changed")
    assert owner.get(f"/v1/executions/{execution}")["status"] == "waiting"

    seen = until(lambda: (a := ann.get(f"/v1/approvals/{approval}"))["input_version"] == 1 and a)
    assert (seen["input"], seen["decisions_count"]) == ({"n": 99}, 1)
    said = ann.post(path, {"input_version": seen["input_version"]})
    assert (said["status"], said["decisions_count"]) == ("approved", 2)
    assert ended(owner, execution)["outcome"] == "succeeded"
    data = owner.get(f"/v1/executions/{execution}/data")
    assert data["output"] == {"decision": "approved", "input": {"n": 99}}
    shown = until(lambda: (a := bob.get(f"/v1/approvals/{approval}"))["status"] == "approved" and a)
    assert [d["by"] for d in shown["decisions"]] == [
        api.get("/v1/me")["person"]["id"] for api in (ann, bob, ann)
    ]


def test_one_rejection_ends_it_and_nothing_is_edited_without_a_schema(world: World) -> None:
    owner, ann = world.home.owner, world.member("ann", "runner")
    workflow = publish(owner, asker(new("simple"), "role:runner"))
    execution, approval = asked_of(owner, ann, workflow)

    refused = ann.ask("POST", f"/v1/approvals/{approval}/approve", {"input": {"n": 1}})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/input")
    said = ann.post(f"/v1/approvals/{approval}/reject", {"comment": "not this one"})
    assert said["status"] == "rejected"
    failed = ended(owner, execution)
    assert (failed["outcome"], failed["error"]["type"]) == ("failed", "approval-rejected")
    assert failed["error"]["step"] == "ok" and failed["error"]["remedy"]


def asked_of(owner: Api, somebody: Api, workflow: str) -> tuple[str, str]:
    """As `asked`, where the one who starts is not among those who are asked."""
    made = owner.post(f"/v1/workflows/{workflow}/executions", {"input": {"n": 7}})

    def found() -> str | None:
        waiting = somebody.get(f"/v1/approvals?workflow={workflow}")["data"]
        return next((a["id"] for a in waiting if a["execution"] == made["execution"]), None)

    return made["execution"], until(found)


def test_a_decision_after_the_timeout_is_refused(world: World) -> None:
    owner = world.home.owner
    more = "      timeout: 2s\n      on_timeout: approve\n"
    execution, approval = asked(owner, publish(owner, asker(new("soon"), more=more)))
    assert ended(owner, execution)["outcome"] == "succeeded"
    assert code(owner, approval, "approve") == (409, "approval-closed")
    world.stack.settled()
    assert owner.get(f"/v1/approvals/{approval}")["status"] == "timed-out"


def test_an_approval_of_a_cancelled_execution_waits_for_nobody(world: World) -> None:
    owner = world.home.owner
    execution, approval = asked(owner, world.home.ids["asks"])
    owner.post(f"/v1/executions/{execution}/cancel", {})
    ended(owner, execution)
    until(lambda: owner.get(f"/v1/approvals/{approval}")["status"] == "cancelled")
    assert code(owner, approval, "approve") == (409, "approval-closed")


def test_those_who_are_asked_are_told_and_nobody_else(world: World) -> None:
    owner = world.home.owner
    ann, bob = world.member("ann", "runner"), world.member("bob", "runner")
    workflow = publish(owner, asker(new("tell"), me(ann)))
    asked_of(owner, ann, workflow)

    def told(api: Api) -> list[Any]:
        notes = api.get("/v1/notifications")["data"]
        return [n for n in notes if n["facts"].get("workflow") == workflow]

    (note,) = until(lambda: told(ann))
    assert (note["category"], note["template"]) == ("approvals", "approval-requested")
    assert not told(bob) and not told(owner)


def test_a_key_does_not_hide_who_started_it(world: World) -> None:
    owner = world.home.owner
    workflow = publish(owner, asker(new("key"), more="      not_the_starter: true\n"))
    key = world.key("executions:start")
    made = key.post(f"/v1/workflows/{workflow}/executions", {"input": {"n": 1}})

    def found() -> str | None:
        waiting = owner.get("/v1/approvals?status=pending&limit=200")["data"]
        return next((a["id"] for a in waiting if a["execution"] == made["execution"]), None)

    assert code(owner, until(found), "approve") == (403, "permission-missing")
