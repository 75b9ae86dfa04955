"""Two organizations with something of everything in them, made over HTTP."""

import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.fakes.receiver import Answer, Seen
from tests_support.api import YAML, Api, Document, Operation
from tests_support.stack import Stack, until

PASSWORD = "correct horse battery staple"
MARK = "zqmarkqzjxwv"
"""Stands in everything personal, free or secret that is sent; test_markers.py looks for it."""
OPERATOR = {
    "name": f"Ada {MARK}", "email": f"ada-{MARK}@example.com", "password": f"{MARK} 1 by one",
    "organization": f"Home {MARK}",
}  # fmt: skip
SIGN_UP = {"password": PASSWORD, "old_enough": True, "policies": {"privacy": "2026-12"}}


def echo(seen: Seen) -> Answer:
    """Says what came; 410 at `/gone`."""
    said = json.dumps({"said": seen.body.decode(errors="replace")}).encode()
    return Answer(410 if seen.path == "/gone" else 200, said)


def greeter(name: str, path: str | None = None) -> str:
    """A webhook without signature that answers with a greeting."""
    return f"""troth: 1
name: {name}
labels: {{team: tests}}
input:
  type: object
  properties: {{who: {{type: string}}}}
on:
  - webhook: {{path: {path or name}, verify: {{scheme: none}}, respond: result}}
steps:
  - id: greeting
    set: {{text: "Hello ${{{{ get(input, \\"who\\", \\"you\\") }}}}!"}}
output: {{text: "${{{{ greeting.text }}}}"}}
"""


def asker(name: str, *by: str, more: str = "") -> str:
    """By hand only: asks people (its owners unless others are named), and says what they said."""
    people = ", ".join(by or ("role:owner",))
    return f"""troth: 1
name: {name}
input: {{type: object, properties: {{n: {{type: integer}}}}}}
steps:
  - id: ok
    approval:
      by: [{people}]
      message: "Pay ${{{{ get(input, \\"n\\", 0) }}}} {MARK}?"
{more}
output: {{decision: "${{{{ ok.decision }}}}", input: "${{{{ ok.input }}}}"}}
"""


def walked_hold(organization: str) -> dict[str, Any]:
    """The body of a legal hold on a day on which nothing was entered."""
    return {"organization_id": organization, "reason": "a quarrel", "actor": ["per_nobody"],
            "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z",
            "expires_at": "2099-01-01T00:00:00Z"}  # fmt: skip


def asked(api: Api, workflow: str, n: int = 7) -> tuple[str, str]:
    """Starts an asker; the execution and its approval, once it waits."""
    made = api.post(f"/v1/workflows/{workflow}/executions", {"input": {"n": n}})
    execution = made["execution"]

    def found() -> str | None:
        waiting = api.get("/v1/approvals?status=pending&limit=200")["data"]
        return next((a["id"] for a in waiting if a["execution"] == execution), None)

    return execution, until(found)


@dataclass
class Organization:
    """One of the two: its owner, and an id for each name that stands in a path."""

    id: str
    slug: str
    owner: Api
    ids: dict[str, str] = field(default_factory=dict)

    def path(self, operation: Operation, /, **other: str) -> str:
        """The operation's path, filled in; a resource has its own name in `ids` where it must."""
        named = self.ids | {"name": self.ids["name-of-" + _kind(operation.path)]} | other
        filled = re.sub(r"\{([a-z_]+)\}", lambda m: named[m[1]], operation.path)
        needed = {n: self.ids[NEEDED[n]] for n in operation.needed}
        return f"{filled}?{urlencode(needed)}" if needed else filled


def _kind(path: str) -> str:
    return "secrets" if path.startswith("/v1/secrets/") else "variables"


# Parameters that an operation can't do without, and what each is.
NEEDED = {"with": "execution", "from": "from-size", "to": "to-size"}


@dataclass(eq=False)
class World:
    stack: Stack
    receiver: str
    document: Document
    public: Api
    home: Organization
    other: Organization

    def person(self, name: str) -> Api:
        """Somebody who signed up just now; no member of anything."""
        email = f"{name}-{secrets.token_hex(3)}@example.com"
        api = Api(self.stack.address, self.document)
        api.post("/v1/people", SIGN_UP | {"name": name, "email": email})
        return sign_in(api, email)

    def member(self, name: str, role: str) -> Api:
        """Somebody new in the home organization."""
        api = self.person(name)
        self.home.owner.post("/v1/members", {"email": api.email, "role": role})
        return api

    def key(self, *scopes: str, **more: Any) -> Api:
        """An API key of the home organization's owner."""
        body = {"name": "a key", "scopes": list(scopes)} | more
        made = self.home.owner.post("/v1/api-keys", body)
        return self.public.with_token(made["token"])


def sign_in(api: Api, email: str, times: int = 1, password: str = PASSWORD) -> Api:
    """With several sessions, so that the rate of one is not the limit."""
    body = {"email": email, "password": password, "as": "token"}
    tokens = [api.post("/v1/sessions", body)["token"] for _ in range(times)]
    signed_in = api.with_token(*tokens)
    signed_in.email = email
    return signed_in


def settle_in(stack: Stack, receiver: str) -> World:
    """The world on a fresh installation."""
    public = Api(stack.address)
    public.document = document = Document(public.get("/openapi.json"))
    public.post("/v1/instance/setup", OPERATOR | {"token": stack.setup_token})
    owner = sign_in(public, OPERATOR["email"], 4, OPERATOR["password"])
    home = _owned(owner, owner.get("/v1/organizations")["data"][0])
    bob = Api(stack.address, document)
    bob.post("/v1/people", SIGN_UP | {"name": "Bob", "email": "bob@example.com"})
    bob = sign_in(bob, "bob@example.com", 2)
    made = bob.post("/v1/organizations", {"name": "Other", "slug": "other"})
    other = _owned(bob, made)
    world = World(stack, receiver, document, public, home, other)
    for organization in (home, other):
        organization.owner.organization = organization.id
        furnish(world, organization)
    stack.quiet()
    return world


def _owned(owner: Api, shown: dict[str, Any]) -> Organization:
    return Organization(shown["id"], shown["slug"], owner)


def furnish(world: World, organization: Organization) -> None:
    """Something of everything; `ids` says what stands at each name in a path."""
    api, hooks = organization.owner, Api(world.stack.address)
    tail = organization.slug[:20]
    file = api.post(
        "/v1/files", content=f"{MARK} {tail}".encode(), headers={"content-type": "text/plain"}
    )
    workflow = api.post(
        "/v1/workflows", content=greeter(f"greeter-{tail}", "greeter").encode(),
        headers={"content-type": YAML},
    )  # fmt: skip
    api.post(f"/v1/workflows/{workflow['id']}/publish", {"draft_version": 1})
    api.put(f"/v1/variables/colour-{tail}", {"value": "blue"})
    api.put(f"/v1/secrets/key-{tail}", {"value": "hush"})
    other = api.post(
        "/v1/workflows", content=greeter(f"reviewed-{tail}").encode(),
        headers={"content-type": YAML},
    )  # fmt: skip
    review = api.post(f"/v1/workflows/{other['id']}/reviews", {"draft_version": 1})
    asks = api.post(
        "/v1/workflows", content=asker(f"asks-{tail}").encode(), headers={"content-type": YAML}
    )
    api.post(f"/v1/workflows/{asks['id']}/publish", {"draft_version": 1})
    _, approval = asked(api, asks["id"])
    operation = api.post("/v1/executions/cancel", {"filter": {"label": ["team:nobody"]}})
    key = api.post("/v1/api-keys", {"name": "ids", "scopes": ["organizations:read"]})
    subscription, gone = (
        api.post("/v1/event-subscriptions", {
            "url": f"http://{world.receiver}{path}", "types": ["executor.event.*"],
        })
        for path in ("/events", "/gone")
    )  # fmt: skip
    siem = api.post(
        "/v1/audit/siem-streams", {"url": f"http://{world.receiver}/siem", "format": "ocsf"}
    )
    invited = api.post("/v1/invitations", {"email": f"zoe-{tail}@example.com", "role": "viewer"})
    called = until(
        lambda: _called(hooks, organization), 20, lambda: "the published hook does not answer"
    )
    calls = until(lambda: api.get("/v1/trigger-calls?outcome=started")["data"])
    deliveries = f"/v1/event-subscriptions/{subscription['id']}/deliveries?outcome=delivered"
    delivery = until(lambda: api.get(deliveries)["data"])[0]
    notification = until(lambda: api.get("/v1/notifications")["data"])[0]
    event = api.get("/v1/audit/events")["data"][0]["id"]
    until(lambda: api.ask("GET", f"/v1/audit/events/{event}/proof").status_code == 200)
    hold, over = (
        world.home.owner.post("/v1/audit/holds", walked_hold(organization.id)) for _ in range(2)
    )
    world.home.owner.ask("DELETE", f"/v1/audit/holds/{over['id']}")
    ended = [h for h in api.get("/v1/audit/holds")["data"] if h["id"] == over["id"]]
    organization.ids |= {
        "workflow": workflow["id"], "version": "1", "type": "http-request", "step": "greeting",
        "name-of-variables": f"colour-{tail}", "name-of-secrets": f"key-{tail}",
        "key": key["id"], "subscription": subscription["id"], "delivery": delivery["id"],
        "organization": organization.id, "execution": called, "call": calls[0]["id"],
        "person": api.get("/v1/members")["data"][0]["person"],
        "review": review["id"], "approval": approval, "operation": operation["id"],
        "asks": asks["id"], "notification": notification["id"], "disabled": gone["id"],
        "event": event, "invitation": invited["id"], "stream": siem["id"],
        "hold": hold["id"], "receipt": ended[0]["receipt"],
        "level": "0", "index": "0", "from-size": "0", "to-size": "1",
        "file": file["id"],
    }  # fmt: skip


def _called(hooks: Api, organization: Organization) -> str | None:
    body = json.dumps({"who": "World"}).encode()
    answer = hooks.client.post(
        f"/hooks/{organization.id}/greeter", content=body,
        headers={"content-type": "application/json"},
    )  # fmt: skip
    return answer.headers.get("troth-execution")
