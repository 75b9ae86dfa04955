"""A request with an effect for each PUT, PATCH and DELETE, and the event that each change is."""

import json
import secrets
from collections.abc import Callable
from typing import Any

from tests_support.api import MERGE, YAML, Api
from tests_support.stack import until
from tests_support.world import World, asked, asker, greeter

Line = tuple[Api, str, str, dict[str, Any]]
"""Who asks, method and path, and what is sent."""
CHANGES: dict[str, Callable[[World], Line]] = {}

# Operation: the type of the event that a call to it leads to, by its name.
EVENTS = {
    "add-member": "member-added", "approve-approval": "approval-decided",
    "approve-review": "review-decided", "archive-workflow": "workflow-archived",
    "cancel-execution": "cancel-requested", "cancel-executions": "operation-requested",
    "change-plan": "plan-changed", "change-role": "member-role-changed",
    "change-subscription": "subscription-changed", "check-inventory": "inventory-checked",
    "close-session": "session-closed", "create-api-key": "api-key-created",
    "create-subscription": "subscription-created", "delete-secret": "secret-deleted",
    "delete-subscription": "subscription-deleted", "delete-variable": "variable-deleted",
    "disable-workflow": "workflow-disabled", "draft-workflow": "workflow-drafted",
    "emit-event": "custom-event-emitted", "enable-subscription": "subscription-enabled",
    "enable-workflow": "workflow-enabled", "export-executions": "operation-requested",
    "export-trail": "export-requested", "forget-execution": "execution-forgotten",
    "found-organization": "organization-founded", "invite-person": "invitation-issued",
    "make-sign-in-link": "sign-in-link-made", "migrate-execution": "execution-migrated",
    "open-session": "session-opened", "pause-execution": "execution-paused",
    "pause-executions": "operation-requested", "publish-workflow": "workflow-published",
    "read-notification": "notification-read", "register-person": "person-registered",
    "reject-approval": "approval-decided", "reject-review": "review-decided",
    "remove-member": "member-removed", "replay-execution": "execution-replayed",
    "replay-executions": "operation-requested", "request-review": "review-requested",
    "resend-call": "call-resent", "resend-calls": "operation-requested",
    "resend-delivery": "delivery-resent", "resume-execution": "execution-resumed",
    "resume-executions": "operation-requested", "revoke-api-key": "api-key-revoked",
    "roll-back-workflow": "workflow-rolled-back", "rotate-secret": "signing-secret-rotated",
    "run-draft": "execution-started", "save-draft": "draft-saved",
    "set-publishing-gate": "publishing-gate-set",
    "set-publishing-policy": "publishing-policy-set", "set-variable": "variable-set",
    "start-execution": "execution-started", "store-file": "file-stored",
    "store-secret": "secret-stored", "test-subscription": "test-sent", "try-step": "step-tried",
    "withdraw-invitation": "invitation-withdrawn", "place-hold": "hold-placed",
    "lift-hold": "hold-lifted", "create-siem-stream": "siem-stream-created",
    "change-siem-stream": "siem-stream-changed", "delete-siem-stream": "siem-stream-deleted",
    "rotate-siem-secret": "siem-secret-rotated",
}  # fmt: skip
# Their answer is a question's: nothing is changed, and what is shown is noted as a look.
QUESTIONS = {"check-document", "replay-golden", "test-draft"}
# What leads to their event can't be had in this world; where it is looked at instead.
ELSEWHERE = {
    "cancel-operation": "tests/component/executor/test_operations.py",
    "resume-signing": "tests/component/audit/test_signer.py",
    "set-up-instance": "tests/integration/api/test_every_change_is_an_event.py",
}


def change(name: str) -> Callable[[Callable[[World], Line]], Callable[[World], Line]]:
    def register(function: Callable[[World], Line]) -> Callable[[World], Line]:
        CHANGES[name] = function
        return function

    return register


def new(word: str) -> str:
    return f"{word}-{secrets.token_hex(3)}"


def tag(api: Api, path: str) -> dict[str, str]:
    return {"If-Match": api.ask("GET", path).headers["etag"]}


@change("revoke-api-key")
def _(world: World) -> Line:
    api = world.home.owner
    made = api.post("/v1/api-keys", {"name": "gone", "scopes": ["organizations:read"]})
    return api, "DELETE", f"/v1/api-keys/{made['id']}", {}


@change("change-plan")
def _(world: World) -> Line:
    body = {"plan": "pro", "organization": world.other.id}
    now = world.other.owner.get("/v1/billing")["plan"]
    return world.home.owner, "PUT", "/v1/billing/plan", {
        "json": body | {"plan": "pro" if now != "pro" else "starter"}
    }  # fmt: skip


def subscribed(world: World) -> str:
    body = {"url": f"http://{world.receiver}/changes", "types": ["billing.event.*"]}
    return f"/v1/event-subscriptions/{world.home.owner.post('/v1/event-subscriptions', body)['id']}"


@change("delete-subscription")
def _(world: World) -> Line:
    path = subscribed(world)
    return world.home.owner, "DELETE", path, {"headers": tag(world.home.owner, path)}


@change("change-subscription")
def _(world: World) -> Line:
    path = subscribed(world)
    body = json.dumps({"types": ["identity.event.*"]}).encode()
    headers = tag(world.home.owner, path) | {"Content-Type": MERGE}
    return world.home.owner, "PATCH", path, {"content": body, "headers": headers}


@change("forget-execution")
def _(world: World) -> Line:
    api = world.home.owner
    execution, _ = asked(api, world.home.ids["asks"])
    path = f"/v1/executions/{execution}"
    api.post(f"{path}/cancel", {})
    until(lambda: api.get(path)["ended_at"])
    return api, "DELETE", path, {}


@change("withdraw-invitation")
def _(world: World) -> Line:
    api = world.home.owner
    made = api.post("/v1/invitations", {"email": f"{new('w')}@example.com", "role": "viewer"})
    return api, "DELETE", f"/v1/invitations/{made['id']}", {}


def member(world: World) -> str:
    return f"/v1/members/{world.member(new('changed'), 'runner').get('/v1/me')['person']['id']}"


@change("remove-member")
def _(world: World) -> Line:
    return world.home.owner, "DELETE", member(world), {}


@change("change-role")
def _(world: World) -> Line:
    body = b'{"role": "viewer"}'
    more = {"content": body, "headers": {"Content-Type": MERGE}}
    return world.home.owner, "PATCH", member(world), more


@change("set-publishing-policy")
def _(world: World) -> Line:
    api = world.other.owner
    now = api.get("/v1/organization/publishing")["review"]
    return api, "PUT", "/v1/organization/publishing", {"json": {"review": not now}}


@change("delete-secret")
def _(world: World) -> Line:
    path = f"/v1/secrets/{new('secret')}"
    world.home.owner.put(path, {"value": "hush"})
    return world.home.owner, "DELETE", path, {}


@change("store-secret")
def _(world: World) -> Line:
    path = f"/v1/secrets/{new('secret')}"
    return world.home.owner, "PUT", path, {"json": {"value": "hush"}}


@change("close-session")
def _(world: World) -> Line:
    return world.person(new("leaves")), "DELETE", "/v1/sessions/current", {}


@change("delete-variable")
def _(world: World) -> Line:
    path = f"/v1/variables/{new('variable')}"
    world.home.owner.put(path, {"value": 1})
    return world.home.owner, "DELETE", path, {}


@change("set-variable")
def _(world: World) -> Line:
    path = f"/v1/variables/{new('variable')}"
    return world.home.owner, "PUT", path, {"json": {"value": 1}}


def drafted(world: World) -> tuple[str, str]:
    name = new("changed")
    made = world.home.owner.post(
        "/v1/workflows", content=greeter(name).encode(), headers={"Content-Type": YAML}
    )
    return f"/v1/workflows/{made['id']}", name


@change("save-draft")
def _(world: World) -> Line:
    path, name = drafted(world)
    headers = tag(world.home.owner, path) | {"Content-Type": YAML}
    text = greeter(name).replace("Hello", "Goodbye").encode()
    return world.home.owner, "PUT", f"{path}/draft", {"content": text, "headers": headers}


@change("set-publishing-gate")
def _(world: World) -> Line:
    path, _ = drafted(world)
    return world.home.owner, "PUT", f"{path}/publishing", {"json": {"golden_replay": 3}}


# -- POSTs whose everyday request may find nothing to change ------------------------------------


@change("enable-workflow")
def _(world: World) -> Line:
    path, _ = drafted(world)
    world.home.owner.post(f"{path}/publish", {"draft_version": 1})
    world.home.owner.post(f"{path}/disable", {})
    return world.home.owner, "POST", f"{path}/enable", {}


@change("disable-workflow")
def _(world: World) -> Line:
    path, _ = drafted(world)
    world.home.owner.post(f"{path}/publish", {"draft_version": 1})
    return world.home.owner, "POST", f"{path}/disable", {}


@change("cancel-execution")
def _(world: World) -> Line:
    execution, _ = asked(world.home.owner, world.home.ids["asks"])
    return world.home.owner, "POST", f"/v1/executions/{execution}/cancel", {"json": {}}


@change("migrate-execution")
def _(world: World) -> Line:
    api, name = world.home.owner, new("migrates")
    yaml = {"Content-Type": YAML}
    made = api.post("/v1/workflows", content=asker(name).encode(), headers=yaml)
    path = f"/v1/workflows/{made['id']}"
    api.post(f"{path}/publish", {"draft_version": 1})
    execution, _ = asked(api, made["id"])
    text = asker(name, more="  - {id: after, set: {done: true}}").encode()
    saved = api.ask("PUT", f"{path}/draft", content=text, headers=yaml | tag(api, path))
    api.post(f"{path}/publish", {"draft_version": int(saved.headers["etag"].strip('"'))})
    return api, "POST", f"/v1/executions/{execution}/migrate", {"json": {"version": 2}}


@change("try-step")
def _(world: World) -> Line:
    api, name = world.home.owner, new("tries")
    text = asker(
        name,
        more=f"""  - id: told
    uses: http-request@1
    with: {{method: POST, url: "http://{world.receiver}/tried"}}""",
    )
    made = api.post("/v1/workflows", content=text.encode(), headers={"Content-Type": YAML})
    path = f"/v1/workflows/{made['id']}/draft/steps/told/try"
    return api, "POST", path, {"json": {"effects": True}}


@change("enable-subscription")
def _(world: World) -> Line:
    api, path = world.home.owner, f"/v1/event-subscriptions/{world.home.ids['disabled']}"
    until(lambda: not api.get(path)["enabled"])
    return api, "POST", f"{path}/enable", {}
