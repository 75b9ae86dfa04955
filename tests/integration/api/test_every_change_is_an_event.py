"""A call to any route that changes something is an event that says who, where, from where, what."""

import secrets
from typing import Any

import httpx
import pytest
from tests_support import changes_of_the_trail
from tests_support.changes import CHANGES, ELSEWHERE, EVENTS, QUESTIONS
from tests_support.posts import requests_of
from tests_support.stack import OWNERS, until
from tests_support.world import OPERATOR, World

assert changes_of_the_trail.siem, "its requests are among the changes"
NOTED = """select type, org, actor, origin from log
  where request_id = %s and type !~ '(access-refused|api-usage-recorded)$' order by n"""


def test_every_route_that_changes_something_has_its_event_here(world: World) -> None:
    changing = {op.id for op in world.document.operations if op.method != "GET"}
    assert changing == set(EVENTS) | QUESTIONS | set(ELSEWHERE)


def unread(world: World) -> str:
    """A notification that nobody has read yet: of an endpoint that is gone for good."""
    home = world.home
    body = {"url": f"http://{world.receiver}/gone", "types": ["executor.event.*"]}
    home.owner.post("/v1/event-subscriptions", body)
    world.public.client.post(f"/hooks/{home.id}/greeter", json={"who": "World"})

    def found() -> str | None:
        shown = home.owner.get("/v1/notifications?limit=200")["data"]
        return next((one["id"] for one in shown if one["read_at"] is None), None)

    return until(found)


def sent(world: World, name: str) -> tuple[httpx.Response, str]:
    """The answer of a call that has an effect, and the organization that it was made for."""
    if name in CHANGES:
        api, method, path, given = CHANGES[name](world)
    else:
        if name == "read-notification":
            world.home.ids["notification"] = unread(world)
        api, path, given, _ = requests_of(world, world.document[name])
        method = "POST"
    headers = given.get("headers", {})
    if method == "POST":
        headers = headers | {"Idempotency-Key": secrets.token_hex(8)}
    answer = api.ask(method, path, **{**given, "headers": headers})
    assert answer.status_code < 300, answer.text
    return answer, api.organization or ""


def noted(world: World, request: str) -> list[tuple[str, ...]]:
    """What the logs of all services say of a request."""
    return [row for service in OWNERS for row in world.stack.rows(service, NOTED, request)]


@pytest.mark.parametrize("name", EVENTS)
def test_a_change_is_an_event_with_actor_organization_request_and_origin(
    world: World, name: str
) -> None:
    answer, organization = sent(world, name)
    request = answer.headers["troth-request-id"]

    def found() -> Any:
        rows = noted(world, request)
        return [row for row in rows if row[0].rpartition(".")[2] == EVENTS[name]]

    rows = until(found, 20, lambda: (name, request, noted(world, request)))
    for kind, org, actor, origin in rows:
        assert actor.startswith(("per_", "key_", "system:public")), kind
        assert org == "instance" or org.startswith("org_"), kind
        assert origin is not None and origin.startswith("o1."), kind
    if organization and name not in ("change-plan", "check-inventory", "read-notification"):
        assert {org for _, org, *_ in rows} <= {organization, "instance"}


def test_the_set_up_of_the_installation_is_an_event_of_whoever_did_it(world: World) -> None:
    rows = world.stack.rows(
        "identity",
        "select actor, request_id, origin from log where type = %s",
        "identity.event.operator-appointed",
    )
    ((actor, request, origin),) = rows
    assert actor.startswith("per_") and request.startswith("req_"), OPERATOR["email"]
    assert origin is None or origin.startswith("o1.")
