"""What a run needs in an installation: an operator, organizations on enterprise, the workflows."""

import secrets
import time
from dataclasses import dataclass

from benchmarks import documents
from benchmarks.stack import Failed, Stack
from cli.client import Api, Refused
from services.billing.plans import PLANS

EMAIL, PASSWORD = "bench@example.com", "a long enough phrase 7"
ORGANIZATIONS = 4
"""The door takes 500 calls a second and organization, so the load is spread over some."""
WITHIN_S = 60.0


@dataclass(frozen=True)
class Prepared:
    """Who can be called, and with what secret; the marker is in every body that is sent."""

    address: str
    organizations: list[str]
    secret: str
    marker: str

    def requests(self, path: str, n: int) -> list[str]:
        """One call per organization."""
        sent = documents.body(n, self.marker)
        return [
            documents.hook_request(self.address, organization, path, self.secret, sent)
            for organization in self.organizations
        ]


def prepare(stack: Stack) -> Prepared:
    """Through the API, as a user would."""
    address = stack.wait_until_ready().address
    token = stack.folder.read_secrets().operator_token
    door = Api(address)
    person = {"name": "Bench", "email": EMAIL, "password": PASSWORD}
    door.post("/v1/instance/setup", {"token": token} | person)
    signing_in = {"email": EMAIL, "password": PASSWORD, "as": "token"}
    session = door.post("/v1/sessions", signing_in)["token"]
    api = Api(address, session)
    organizations = [api.get("/v1/me")["organizations"][0]["id"]]
    for number in range(1, ORGANIZATIONS):
        organizations.append(api.post("/v1/organizations", {"name": f"Bench {number}"})["id"])
    secret = secrets.token_urlsafe(24)
    for organization in organizations:
        give_enterprise(api, organization)
        publish(Api(address, session, organization), secret)
    wait_for_entitlements(stack, organizations)
    return Prepared(address, organizations, secret, f"marker-{secrets.token_hex(12)}")


def give_enterprise(api: Api, organization: str) -> None:
    """The account is opened a moment after the organization was founded."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        try:
            body = {"plan": "enterprise", "organization": organization}
            api.ask("PUT", "/v1/billing/plan", json=body)
        except Refused as refused:
            if time.monotonic() > deadline or refused.status not in (404, 409, 503):
                raise
            time.sleep(0.1)
        else:
            return


def publish(api: Api, secret: str) -> None:
    api.ask("PUT", f"/v1/secrets/{documents.HOOK_SECRET}", json={"value": secret})
    for text in documents.texts():
        made = api.document("POST", "/v1/workflows", text, "application/yaml")
        api.post(f"/v1/workflows/{made['id']}/publish", {"draft_version": 1})


def wait_for_entitlements(stack: Stack, organizations: list[str]) -> None:
    """Until the executor knows the plan, so that no start is held back by the free one."""
    wanted = PLANS["enterprise"].limits.executions_per_month
    deadline = time.monotonic() + WITHIN_S
    with stack.connect("executor") as connection:
        while True:
            found = connection.execute(
                "select count(*) from entitlements"
                " where org = any(%s) and executions_per_month = %s",
                (organizations, wanted),
            ).fetchone()
            if found == (len(organizations),):
                return
            if time.monotonic() > deadline:
                raise Failed("the executor does not hear of the organizations' plan")
            time.sleep(0.05)
