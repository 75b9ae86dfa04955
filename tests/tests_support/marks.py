"""Every field of a request that is personal, free or secret; and marks in those of executions."""

import json

from tests_support.api import MERGE, Api
from tests_support.world import MARK, World, asked

SENT = {
    # by `settle_in`: the operator, with marks in all that a person says
    "set-up-instance": {"name", "email", "password", "organization", "token"},
    "register-person": {"name", "email", "password", "invitation"},
    "open-session": {"email", "password"},
    "add-member": {"email"},
    "invite-person": {"email"},
    "found-organization": {"name"},
    "create-api-key": {"name"},
    "publish-workflow": {"note"},
    "roll-back-workflow": {"note"},
    "request-review": {"note"},
    "approve-review": {"comment"},
    "reject-review": {"comment"},
    "store-secret": {"value"},
    "set-variable": {"value"},
    "find-executions": {"key", "q"},
    "find-entries": {"address"},
    "find-instance-entries": {"address"},
    "place-hold": {"reason"},
    "cancel-execution": {"reason"},
    "pause-execution": {"reason"},
    "resume-execution": {"value"},
    "cancel-executions": {"reason"},
    "pause-executions": {"reason"},
    "approve-approval": {"comment", "input"},
    "reject-approval": {"comment", "input"},
    "emit-event": {"data"},
    "run-draft": {"input", "pins"},
    "try-step": {"input", "mock", "scope"},
    "replay-execution": {"input"},
    "start-execution": {"input"},
    "create-subscription": {"url"},
    "change-subscription": {"url"},
    "create-siem-stream": {"url", "authorization"},
    "change-siem-stream": {"url", "authorization"},
    "setup-form": {"token"},
    "join-form": {"token"},
    "sign-in-by-link": {"token"},
    "draft-workflow": {"document"},
    "save-draft": {"document"},
    "check-document": {"document"},
    "store-file": {"document"},
    "sign-in-by-form": {"document"},
    "sign-out-by-form": {"document"},
    "setup-by-form": {"document"},
    "join-by-form": {"document"},
}


def controlled(world: World) -> None:
    """Marks in what people say about executions, one or many, and in what they are asked."""
    api, asks = world.home.owner, world.home.ids["asks"]
    for verb in ("approve", "reject"):
        execution, approval = asked(api, asks)
        path = f"/v1/executions/{execution}"
        api.post(f"{path}/pause", {"reason": f"{MARK} pause"})
        accept = {"decision": "accept", "value": f"{MARK} value"}
        assert api.ask("POST", f"{path}/resume", accept).status_code == 409, "no step paused it"
        api.post(f"{path}/resume", {})
        decide = f"/v1/approvals/{approval}/{verb}"
        edited = {"comment": f"{MARK} comment", "input": {f"{MARK} k": f"{MARK} v"}}
        assert api.ask("POST", decide, edited).status_code == 422, "there is nothing to edit"
        api.post(decide, {"comment": f"{MARK} comment"})
    many(api)
    carried(world)


def carried(world: World) -> None:
    """Marks in where the trail is carried live, and in what is sent there to be let in."""
    api, streams = world.home.owner, "/v1/audit/siem-streams"
    api.post("/v1/audit/holds", {
        "organization_id": world.home.id, "reason": f"{MARK} case", "from": "2026-01-01T00:00:00Z",
        "to": "2026-01-02T00:00:00Z", "expires_at": "2099-01-01T00:00:00Z",
    })  # fmt: skip
    to = {"url": f"http://{world.receiver}/{MARK}/a", "authorization": f"Splunk {MARK}"}
    answer = api.ask("POST", streams, to | {"format": "ocsf"})
    path, tag = f"{streams}/{answer.json()['id']}", answer.headers["etag"]
    other = {"url": f"http://{world.receiver}/{MARK}/b", "authorization": f"{MARK} key"}
    headers = {"Content-Type": MERGE, "If-Match": tag}
    changed = api.ask("PATCH", path, content=json.dumps(other).encode(), headers=headers)
    assert changed.status_code == 200, changed.text


def many(api: Api) -> None:
    """Filters have words and keys in them, which stay with the operation."""
    wanted = {"filter": {"key": [f"{MARK} key"], "q": f"{MARK} words"}}
    for verb, more in (("cancel", {"reason": f"{MARK} why"}), ("pause", {"reason": f"{MARK} why"}),
                       ("resume", {})):  # fmt: skip
        done = api.post(f"/v1/executions/{verb}", wanted | more, headers={"Prefer": "wait=10"})
        api.get(f"/v1/operations/{done['id']}/result")
    api.get(f"/v1/executions?q={MARK}")
    agent = {"User-Agent": f"{MARK} agent"}
    for path in ("/v1/audit/events", "/v1/instance/audit-events"):
        api.get(f"{path}?address={MARK}", headers=agent)
    said = {"type": "custom.marked", "data": {f"{MARK} k": f"{MARK} v"}}
    api.post("/v1/events", said, headers=agent)
    drafted(api)


def drafted(api: Api) -> None:
    """Marks in a draft's input and pins, in the names of a step that is tried, in a replay."""
    text = {
        "troth": 1,
        "name": "marked-draft",
        "steps": [{"id": "a", "set": {"x": "${{ input.k }}"}}],
    }
    made = api.post("/v1/workflows", text)
    path = f"/v1/workflows/{made['id']}/draft"
    given = {"k": f"{MARK} draft"}
    run = api.post(f"{path}/run", {"input": given, "pins": {"a": f"{MARK} pin"}})
    api.post(f"{path}/steps/a/try", {"scope": {"input": given}, "mock": f"{MARK} mock"})
    api.post(f"{path}/steps/a/try", {"input": given})
    api.ask("POST", f"/v1/executions/{run['execution']}/replay", {"from_step": "a", "input": given})
