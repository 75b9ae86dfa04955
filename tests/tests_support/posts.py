"""A request with an effect for each POST, and one with another body under the same key."""

import secrets
from typing import Any

from tests_support.api import YAML, Api, Operation
from tests_support.meetings_of_reviews import reviewed, reviewer
from tests_support.walk import good_body
from tests_support.world import PASSWORD, SIGN_UP, World, asked, greeter

Made = tuple[Api, str, dict[str, Any], dict[str, Any]]
"""Who asks, the path, the good request, and one with another body."""


def new(word: str) -> str:
    return f"{word}-{secrets.token_hex(3)}"


def requests_of(world: World, op: Operation) -> Made:
    """A request that has an effect, on new things where one can be had only once."""
    home, api = world.home, world.home.owner
    path = home.path(op)
    match op.id:
        case "register-person":
            api = Api(world.public.base, world.document)
            good = SIGN_UP | {"name": "Once", "email": f"{new('once')}@example.com"}
            return api, path, {"json": good}, {"json": good | {"name": "Twice"}}
        case "open-session":
            api, person = Api(world.public.base, world.document), world.person("opens")
            good = {"email": person.email, "password": PASSWORD, "as": "token"}
            return api, path, {"json": good}, {"json": good | {"as": "cookie"}}
        case "add-member":
            good = {"email": world.person("joins").email, "role": "viewer"}
            return api, path, {"json": good}, {"json": good | {"role": "runner"}}
        case "invite-person":
            good = {"email": f"{new('invited')}@example.com", "role": "viewer"}
            return api, path, {"json": good}, {"json": good | {"role": "runner"}}
        case "found-organization":
            founder = world.person("founds")
            return founder, path, {"json": {"name": "Once"}}, {"json": {"name": "Twice"}}
        case "create-api-key" | "create-subscription" | "start-execution":
            good, other = good_body(op, world), {"create-api-key": {"name": "other"},
                "create-subscription": {"types": ["billing.event.*"]},
                "start-execution": {"input": {"who": "other"}}}  # fmt: skip
            return api, path, {"json": good}, {"json": good | other[op.id]}
        case "cancel-execution":
            return api, path, {"json": {"reason": "a"}}, {"json": {"reason": "b"}}
        case "pause-execution" | "resume-execution":
            execution, _ = asked(api, home.ids["asks"])
            path = home.path(op, execution=execution)
            if op.id == "resume-execution":
                api.post(path.replace("/resume", "/pause"))
            return api, path, {"json": {}}, {"json": good_body(op, world)}
        case "emit-event":
            good = {"type": "custom.once", "data": {"n": 1}}
            return api, path, {"json": good}, {"json": good | {"data": {"n": 2}}}
        case "replay-execution" | "run-draft" | "try-step":
            good = good_body(op, world)
            return api, path, {"json": good}, {"json": good | {"input": {"who": "other"}}}
        case "export-trail" | "create-siem-stream":
            good = good_body(op, world)
            other = "ocsf" if op.id == "export-trail" else "jsonl"
            return api, path, {"json": good}, {"json": good | {"format": other}}
        case "place-hold":
            good = good_body(op, world)
            return api, path, {"json": good}, {"json": good | {"reason": "another quarrel"}}
        case "migrate-execution":
            execution, _ = asked(api, home.ids["asks"])
            path = home.path(op, execution=execution)
            return api, path, {"json": {"version": 1}}, {"json": {"version": 2}}
        case "approve-approval" | "reject-approval":
            _, approval = asked(api, home.ids["asks"])
            path = home.path(op, approval=approval)
            return api, path, {"json": {"comment": "a"}}, {"json": {"comment": "b"}}
        case ("cancel-executions" | "pause-executions" | "resume-executions" | "resend-calls"
              | "replay-executions" | "export-executions"):  # fmt: skip
            good = good_body(op, world)
            return api, path, {"json": good}, {"json": good | {"dry_run": True}}
        case "draft-workflow" | "check-document":
            good, other = (
                {"content": greeter(new("once")).encode(), "headers": {"Content-Type": YAML}}
                for _ in range(2)
            )
            return api, path, good, other
        case "store-file":
            good, other = ({"content": new("bytes").encode()} for _ in range(2))
            return api, path, good, other
        case "publish-workflow" | "archive-workflow" | "disable-workflow" | "enable-workflow":
            made = api.post("/v1/workflows", content=greeter(new("once")).encode(),
                            headers={"Content-Type": YAML})  # fmt: skip
            path = home.path(op, workflow=made["id"])
            if op.id == "publish-workflow":
                good = {"draft_version": 1}
                return api, path, {"json": good}, {"json": good | {"note": "other"}}
        case "approve-review" | "reject-review":
            _, review = reviewed(world)
            path = home.path(op, review=review["id"])
            return reviewer(world), path, {"json": {"comment": "a"}}, {"json": {"comment": "b"}}
        case "request-review" | "roll-back-workflow":
            name = new("once")
            made = drafted_twice(api, name, publish=op.id == "roll-back-workflow")
            good = {"draft_version": 2} if op.id == "request-review" else {"version": 1}
            path = home.path(op, workflow=made)
            return api, path, {"json": good}, {"json": good | {"note": "other"}}
    return api, path, {}, {"json": {}}


def drafted_twice(api: Api, name: str, *, publish: bool) -> str:
    """A workflow with two saves, or two published versions; its id."""
    yaml = {"Content-Type": YAML}
    made = api.post("/v1/workflows", content=greeter(name).encode(), headers=yaml)
    path = f"/v1/workflows/{made['id']}"
    if publish:
        api.post(f"{path}/publish", {"draft_version": 1})
    tag = api.ask("GET", path).headers["etag"]
    text = greeter(name).replace("Hello", "Goodbye").encode()
    saved = api.ask("PUT", f"{path}/draft", content=text, headers=yaml | {"If-Match": tag})
    assert saved.status_code == 200, saved.text
    if publish:
        api.post(f"{path}/publish", {"draft_version": int(saved.headers["etag"].strip('"'))})
    return made["id"]
