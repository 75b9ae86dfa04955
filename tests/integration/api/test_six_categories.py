"""One of each of the six promised categories, found in the trail within a minute, with all of it.

The calls come through a proxy on this machine, which the door believes: so the address that the
trail says is one that only the header had.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests_support.api import YAML, Api
from tests_support.changes import new
from tests_support.commands import troth
from tests_support.stack import until
from tests_support.world import PASSWORD, World

from cli import audit_probe
from services.audit.promised import SIX

ADDRESS, AGENT = "203.0.113.77", "troth-probe/1 (six categories)"
WITHIN_S = 60
NEEDED = ("id", "type", "occurred_at", "actor", "address", "user_agent", "request_id", "resource",
          "outcome", "category")  # fmt: skip
CALLS = """troth: 1
name: {name}
steps:
  - id: told
    uses: http-request@1
    with: {{method: POST, url: "http://{host}/probe"}}
"""
FAILS = """troth: 1
name: {name}
steps:
  - id: never
    set: {{n: "${{{{ 1 / 0 }}}}"}}
"""


class Probe:
    """Calls as one client behind the proxy; every answer is good."""

    def __init__(self, world: World) -> None:
        self.world, self.owner = world, world.home.owner
        self.headers = {"X-Forwarded-For": f"198.51.100.9, {ADDRESS}", "User-Agent": AGENT}
        transport = httpx.HTTPTransport(local_address="127.0.0.1")
        self.client = httpx.Client(
            base_url=world.stack.address, transport=transport, timeout=30, trust_env=False
        )

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        named = self.headers | self.owner.headers(None) | headers
        return self.client.post(path, json=body, headers=named)

    def run(self, document: str) -> str:
        """An execution of a new workflow, started by this client."""
        made = self.owner.post("/v1/workflows", content=document.encode(),
                               headers={"Content-Type": YAML})  # fmt: skip
        self.owner.post(f"/v1/workflows/{made['id']}/publish", {"draft_version": 1})
        answer = self.post(f"/v1/workflows/{made['id']}/executions", {}, Prefer="wait=20")
        assert answer.status_code == 200, answer.text
        return answer.json()["execution"]


def authentication(probe: Probe) -> str:
    person = probe.world.person("signs-in")
    body = {"email": person.email, "password": PASSWORD, "as": "token"}
    answer = probe.client.post("/v1/sessions", json=body, headers=probe.headers)
    assert answer.status_code == 201, answer.text
    return "/v1/instance/audit-events?type=identity.event.session-opened"


def api_usage(probe: Probe) -> str:
    headers = probe.headers | probe.owner.headers(None)
    assert probe.client.get("/v1/workflows", headers=headers).status_code == 200
    return "/v1/audit/events?category=api-usage&resource=find-workflows"


def workflow_execution(probe: Probe) -> str:
    execution = probe.run(FAILS.format(name=new("probe-runs")).replace("1 / 0", "1 / 1"))
    return f"/v1/audit/events?category=execution&resource={execution}"


def integration_activity(probe: Probe) -> str:
    execution = probe.run(CALLS.format(name=new("probe-calls"), host=probe.world.receiver))
    return f"/v1/audit/events?category=integration&resource={execution}"


def errors(probe: Probe) -> str:
    execution = probe.run(FAILS.format(name=new("probe-fails")))
    return f"/v1/audit/events?outcome=failure&resource={execution}"


def administrative_access(probe: Probe) -> str:
    made = probe.post("/v1/api-keys", {"name": "probe", "scopes": ["organizations:read"]})
    assert made.status_code == 201, made.text
    return "/v1/audit/events?category=administration&type=identity.event.api-key-created"


PROBES: dict[str, Callable[[Probe], str]] = {
    "authentication": authentication, "API usage": api_usage,
    "workflow execution": workflow_execution, "integration activity": integration_activity,
    "errors": errors, "administrative access": administrative_access,
}  # fmt: skip


def test_each_of_the_six_is_probed() -> None:
    assert set(PROBES) == set(audit_probe.PROBES) == SIX


@pytest.mark.parametrize("category", PROBES)
def test_one_of_each_category_is_in_the_trail_within_a_minute(world: World, category: str) -> None:
    probe, begun = Probe(world), time.monotonic()
    where = PROBES[category](probe) + f"&address={ADDRESS}"
    reader: Api = world.home.owner
    found = until(lambda: reader.get(where)["data"], WITHIN_S, lambda: where)
    assert time.monotonic() - begun < WITHIN_S
    for entry in found:
        assert all(entry[name] not in (None, "") for name in NEEDED), entry
        assert (entry["address"], entry["user_agent"]) == (ADDRESS, AGENT)
        assert entry["request_id"].startswith("req_")
        assert entry["actor"].startswith("per_")


def test_an_operator_is_shown_an_entry_of_each_category_by_a_command(world: World) -> None:
    probe, owner = Probe(world), world.home.owner
    calls = probe.run(CALLS.format(name=new("probe-shows"), host=world.receiver))
    fails = probe.run(FAILS.format(name=new("probe-shows")))
    for execution, what in ((calls, "category=integration"), (fails, "outcome=failure")):
        where = f"/v1/audit/events?{what}&resource={execution}"
        until(lambda where=where: owner.get(where)["data"], WITHIN_S)

    said = troth(world, "audit", "probe", "--json")

    shown = {one["category"]: one for one in json.loads(said)}
    assert list(shown) == list(audit_probe.PROBES)
    for name, one in shown.items():
        assert all(one[fact] not in (None, "") for fact in audit_probe.COLUMNS), one
        assert one["organization"] == ("instance" if name == "authentication" else world.home.id)
    mine = [shown[name] for name, one in audit_probe.PROBES.items() if one.mine]
    assert len(mine) == 2
    assert {one["user_agent"].partition("/")[0] for one in mine} == {"troth-audit-probe"}
    assert shown["errors"]["outcome"] == "failure"
    assert shown["authentication"]["outcome"] == "refused"


def test_a_customer_is_told_which_category_only_the_operator_sees(world: World) -> None:
    key = world.key("audit:read")

    said = troth(world, "audit", "probe", as_=key, fails=True)

    assert said.startswith(
        "troth: no entry of authentication in the trail: sign-ins are entries of"
    )
    assert len(said.splitlines()) == 1
    usage = troth(world, "audit", "probe", "--category", "API usage", as_=key).splitlines()
    assert len(usage) == 2 and "find-entries" in usage[1] and "key_" in usage[1]


def test_a_refusal_says_who_was_refused_what_and_from_where(world: World) -> None:
    key, probe = world.key("members:read"), Probe(world)
    headers = probe.headers | key.headers(None)
    answer = probe.client.get("/v1/workflows", headers=headers)
    assert answer.status_code == 403
    where = f"/v1/audit/events?outcome=refused&address={ADDRESS}&resource=find-workflows"
    (entry,) = until(lambda: world.home.owner.get(where)["data"], WITHIN_S)
    assert entry["actor"].startswith("key_")
    assert entry["request_id"] == answer.headers["troth-request-id"]


def test_a_refused_sign_in_is_found_by_where_it_was_tried_from(world: World) -> None:
    probe, address = Probe(world), "203.0.113.99"
    headers = {"X-Forwarded-For": address, "User-Agent": AGENT}
    body = {"email": world.person("guessed").email, "password": "guess", "as": "token"}
    assert probe.client.post("/v1/sessions", json=body, headers=headers).status_code == 401
    where = (
        f"/v1/instance/audit-events?address={address}&outcome=refused"
        "&type=identity.event.sign-in-refused"
    )
    (entry,) = until(lambda: world.home.owner.get(where)["data"], WITHIN_S)
    assert (entry["user_agent"], entry["category"]) == (AGENT, "authentication")


def test_a_hook_call_is_found_by_its_address_and_a_header_of_a_stranger_says_nothing(
    world: World,
) -> None:
    home, stranger = world.home, Api(world.stack.address)
    answer = stranger.client.post(
        f"/hooks/{home.id}/greeter", json={"who": "World"}, headers={"X-Forwarded-For": ADDRESS}
    )
    execution = answer.headers["troth-execution"]
    where = f"/v1/audit/events?type=executor.event.execution-started&resource={execution}"
    (entry,) = until(lambda: home.owner.get(where)["data"])
    assert entry["address"].startswith("127.0.0.") and entry["actor"] == "system:webhook"
    assert entry["user_agent"].startswith("python-httpx/")


def test_looks_at_payloads_and_at_the_trail_are_entries_of_their_readers(world: World) -> None:
    home, probe = world.home, Probe(world)
    execution = probe.run(FAILS.format(name=new("probe-looks")).replace("1 / 0", "1 / 1"))
    reader = world.member("reads", "admin")
    for _ in range(5):
        assert reader.get(f"/v1/executions/{execution}/data")["input"] == {}
    person = reader.get("/v1/me")["person"]["id"]
    where = f"/v1/audit/events?resource={execution}&actor={person}"
    (entry,) = until(lambda: home.owner.get(where)["data"])
    assert entry["type"] == "executor.event.execution-opened"
    assert entry["address"].startswith("127.0.0.") and entry["category"] == "privacy"
    auditor = world.member("trail", "auditor")
    assert auditor.get("/v1/audit/events")["data"]
    auditor.get("/v1/audit/events?limit=1")
    who = auditor.get("/v1/me")["person"]["id"]
    read = f"/v1/audit/events?type=audit.event.trail-read&actor={who}"
    (seen,) = until(lambda: home.owner.get(read)["data"])
    assert seen["resource"] == "trail"
    public = {shown["type"] for shown in home.owner.everything("/v1/event-types")}
    assert not public & {"executor.event.execution-opened", "audit.event.trail-read"}
