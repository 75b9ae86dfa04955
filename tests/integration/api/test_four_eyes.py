"""Four eyes over HTTP: who wrote a change, by whatever means, does not approve it."""

from typing import Any

from tests_support.api import YAML, Api
from tests_support.meetings import new
from tests_support.stack import until
from tests_support.world import World, asker, greeter


def team(world: World) -> tuple[Api, Api]:
    """An organization of two that publishes with four eyes: its owner, and a builder."""
    owner, builder = world.person("writes"), world.person("reads")
    organization = owner.post("/v1/organizations", {"name": new("Team")})["id"]
    owner.organization = builder.organization = organization
    owner.post("/v1/members", {"email": builder.email, "role": "builder"})
    assert owner.put("/v1/organization/publishing", {"review": True})["review"] is True
    return owner, builder


def draft(api: Api, name: str) -> Any:
    headers = {"content-type": YAML}
    return api.post("/v1/workflows", content=greeter(name).encode(), headers=headers)


def code(api: Api, path: str, body: Any = None) -> tuple[int, str]:
    answer = api.ask("POST", path, body)
    return answer.status_code, answer.json().get("code")


def test_a_draft_goes_through_the_hands_of_two(world: World) -> None:
    owner, builder = team(world)
    path = f"/v1/workflows/{draft(owner, 'shared')['id']}"
    assert code(owner, f"{path}/publish", {"draft_version": 1}) == (409, "review-needed")
    answer = owner.ask("POST", f"{path}/reviews", {"draft_version": 1, "note": "please"})
    review = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"/v1/reviews/{review['id']}")
    approve = f"/v1/reviews/{review['id']}/approve"
    assert code(owner, approve) == (403, "own-change")
    approved = builder.post(approve, {"comment": "fine"})
    assert (approved["status"], approved["comment"]) == ("approved", "fine")
    assert builder.get("/v1/reviews?status=approved")["data"] == [approved]
    assert code(builder, approve) == (409, "already-decided")
    assert owner.post(f"{path}/publish", {"draft_version": 3})["published"] == 1


def test_a_draft_that_nobody_reviewed_does_nothing_outside(world: World) -> None:
    owner, builder = team(world)
    made = owner.post(
        "/v1/workflows", content=asker(new("pays")).encode(), headers={"content-type": YAML}
    )
    path = f"/v1/workflows/{made['id']}"
    run, attempt = f"{path}/draft/run", f"{path}/draft/steps/ok/try"
    assert code(owner, run, {"input": {"n": 1}}) == (409, "review-needed")
    assert code(owner, attempt, {"effects": True}) == (409, "review-needed")
    assert owner.ask("POST", attempt, {"mock": {"decision": "approved"}}).status_code == 200

    review = owner.post(f"{path}/reviews", {"draft_version": 1})
    builder.post(f"/v1/reviews/{review['id']}/approve", {})
    refused = owner.ask("POST", run, {"pins": {"ok": {"decision": "approved"}}})
    assert (refused.status_code, refused.json()["errors"][0]["rule"]) == (422, "approval")
    assert code(owner, attempt, {"effects": True}) == (409, "review-needed")
    started = owner.post(run, {"input": {"n": 1}})
    shown = until(
        lambda: (
            (e := owner.get(f"/v1/executions/{started['execution']}"))["status"] == "waiting" and e
        )
    )
    assert shown["mode"] == "draft"
    owner.post(f"/v1/executions/{started['execution']}/cancel", {})


def test_a_draft_with_its_effects_is_run_by_who_may_write_it(world: World) -> None:
    runner = world.member("runs", "runner")
    path = f"/v1/workflows/{world.home.ids['asks']}"
    assert code(runner, f"{path}/draft/run", {}) == (403, "permission-missing")
    assert code(runner, f"{path}/draft/steps/ok/try", {"effects": True}) == (
        403, "permission-missing",
    )  # fmt: skip
    mocked = runner.ask("POST", f"{path}/draft/steps/ok/try", {"mock": {"decision": "approved"}})
    assert mocked.status_code == 200
    started = runner.post(f"{path}/executions", {"input": {"n": 1}})
    runner.post(f"/v1/executions/{started['execution']}/cancel", {})


def test_an_api_key_is_its_makers_pen(world: World) -> None:
    owner, builder = team(world)
    made = builder.post("/v1/api-keys", {"name": "pen", "scopes": ["workflows:edit"]})
    pen = world.public.with_token(made["token"])
    path = f"/v1/workflows/{draft(pen, 'by-a-key')['id']}"
    review = owner.post(f"{path}/reviews", {"draft_version": 1})
    approve = f"/v1/reviews/{review['id']}/approve"
    assert code(builder, approve) == (403, "own-change")
    assert owner.post(approve)["status"] == "approved"


def test_only_who_manages_the_organization_says_how_it_publishes(world: World) -> None:
    owner, builder = team(world)
    answer = builder.ask("PUT", "/v1/organization/publishing", {"review": False})
    assert (answer.status_code, answer.json()["permission"]) == (403, "organizations:manage")
    assert builder.get("/v1/organization/publishing")["review"] is True
    assert owner.put("/v1/organization/publishing", {"review": False})["review"] is False


def test_a_version_comes_back_and_is_compared(world: World) -> None:
    owner, name = world.home.owner, new("back")
    draft(owner, name)
    path = f"/v1/workflows/{name}"
    owner.post(f"{path}/publish", {"draft_version": 1})
    changed = greeter(name).replace("Hello", "Goodbye") + "timeout: 1h\n"
    headers = {"content-type": YAML, "If-Match": '"2"'}
    saved = owner.ask("PUT", f"{path}/draft", content=changed.encode(), headers=headers)
    assert saved.status_code == 200, saved.text
    owner.post(f"{path}/publish", {"draft_version": 3})
    diff = owner.get(f"{path}/versions/2/diff?against=1")
    assert [step["id"] for step in diff["steps_changed"]] == ["greeting"]
    assert [change["key"] for change in diff["settings"]] == ["/timeout"]
    assert owner.post(f"{path}/rollback", {"version": 1})["published"] == 3
    assert owner.get(f"{path}/versions/3")["document"] == greeter(name)
    same = owner.get(f"{path}/versions/3/diff?against=1")
    assert (same["steps_changed"], same["settings"], same["triggers"]) == ([], [], [])


def test_a_workflow_is_held_against_its_past_until_the_differences_are_accepted(
    world: World,
) -> None:
    owner, name = world.home.owner, new("held")
    draft(owner, name)
    path = f"/v1/workflows/{name}"
    workflow = owner.post(f"{path}/publish", {"draft_version": 1})["id"]
    execution = owner.post(f"{path}/executions", {"input": {"who": "Ada"}})["execution"]
    ended = f"/v1/executions?workflow={workflow}&outcome=succeeded"
    until(lambda: owner.get(ended)["data"])
    gate = owner.put(f"{path}/publishing", {"golden_replay": 3})
    assert gate == {"golden_replay": 3, "organization_golden_replay": 0, "wanted": 3}
    assert owner.get(f"{path}/publishing") == gate
    tag = owner.ask("GET", path).headers["etag"]
    changed = greeter(name).replace("Hello", "Goodbye").encode()
    headers = {"content-type": YAML, "If-Match": tag}
    saved = owner.ask("PUT", f"{path}/draft", content=changed, headers=headers)
    version = int(saved.headers["etag"].strip('"'))

    refused = owner.ask("POST", f"{path}/publish", {"draft_version": version})

    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (422, "golden-replay-differs")
    assert problem["errors"] == [
        {"pointer": "/accept_differences", "rule": "differs",
         "detail": f"{execution} differs at greeting (result)"}
    ]  # fmt: skip
    accepted = {"draft_version": version, "accept_differences": True}
    assert owner.post(f"{path}/publish", accepted)["published"] == 2


def test_what_a_policy_leaves_out_stays(world: World) -> None:
    owner, _ = team(world)
    assert owner.put("/v1/organization/publishing", {"golden_replay": 2})["review"] is True
    found = owner.put("/v1/organization/publishing", {"review": False})
    assert (found["review"], found["golden_replay"]) == (False, 2)
