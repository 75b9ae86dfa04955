"""Every POST is made safe to repeat by its key; every versioned thing asks what is changed."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from tests_support.api import MERGE, YAML
from tests_support.posts import Made, new, requests_of
from tests_support.stack import until
from tests_support.world import World, greeter

# Its answer is a question's: nothing happens, so there is nothing to happen twice.
WITHOUT_EFFECT = {"check-document", "replay-golden", "test-draft"}
ONCE = {"set-up-instance"}  # works once in the life of an installation: see test_problem_codes
WHEN_TAMPERED = {"resume-signing"}  # needs a trail that was changed: see the tests of the signer


def posts(world: World) -> list[str]:
    return [op.id for op in world.document.operations if op.method == "POST"]


def send(made: Made, key: str, other: bool = False) -> httpx.Response:
    api, path, good, another = made
    given = another if other else good
    headers = given.get("headers", {}) | {"Idempotency-Key": key}
    return api.ask("POST", path, **{**given, "headers": headers})


SHOWN_ONCE = {"token", "signing_secret", "session"}


def without_secrets(value: Any) -> Any:
    """What is shown once is null in a repetition."""
    if isinstance(value, dict):
        return {k: None if k in SHOWN_ONCE else without_secrets(v) for k, v in value.items()}
    return value


POSTS = [
    "add-member", "approve-approval", "approve-review", "archive-workflow", "cancel-execution",
    "cancel-executions", "cancel-operation", "pause-execution", "pause-executions",
    "reject-approval", "resend-calls", "resume-execution", "resume-executions", "create-api-key",
    "create-subscription", "disable-workflow", "draft-workflow", "emit-event",
    "enable-subscription", "enable-workflow", "export-executions", "found-organization",
    "invite-person", "make-sign-in-link",
    "open-session", "publish-workflow",
    "read-notification", "register-person", "reject-review", "request-review", "resend-call",
    "resend-delivery", "roll-back-workflow", "rotate-secret",
    "start-execution", "store-file", "test-subscription", "replay-execution", "replay-executions",
    "migrate-execution", "run-draft", "try-step", "check-inventory", "export-trail",
    "create-siem-stream", "rotate-siem-secret", "place-hold",
]  # fmt: skip


def test_every_post_is_looked_at_here(world: World) -> None:
    assert set(posts(world)) == set(POSTS) | WITHOUT_EFFECT | ONCE | WHEN_TAMPERED


@pytest.mark.parametrize("name", POSTS)
def test_the_same_key_gets_the_recorded_answer_and_with_another_body_a_refusal(
    world: World, name: str
) -> None:
    made, key = requests_of(world, world.document[name]), secrets.token_hex(8)
    first = send(made, key)
    assert first.status_code < 300, first.text
    assert "idempotency-replayed" not in first.headers
    again = send(made, key)
    assert again.status_code == first.status_code, again.text
    assert again.headers.get("idempotency-replayed") == "true"
    assert again.json() == without_secrets(first.json())
    other = send(made, key, other=True)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


@pytest.mark.parametrize("name", POSTS)
def test_two_at_once_with_one_key_have_one_effect(world: World, name: str) -> None:
    made, key = requests_of(world, world.document[name]), secrets.token_hex(8)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: send(made, key), range(2)))
    good = [answer for answer in answers if answer.status_code < 300]
    late = [answer for answer in answers if answer.status_code >= 300]
    assert good, [answer.text for answer in answers]
    assert {a.json()["code"] for a in late} <= {"idempotency-key-in-use"}
    assert len([a for a in good if "idempotency-replayed" not in a.headers]) == 1
    assert len({str(without_secrets(a.json())) for a in good}) == 1


# -- things with versions ------------------------------------------------------------------------


def drafted(world: World) -> tuple[str, Callable[[int], dict[str, Any]]]:
    api = world.home.owner
    name = new("written")
    api.post("/v1/workflows", content=greeter(name).encode(), headers={"Content-Type": YAML})
    text = lambda n: {"content": f"{greeter(name)}# {n}\n".encode(), "media": YAML}  # noqa: E731 - one line says it
    return f"PUT /v1/workflows/{name}/draft", text


def subscribed(world: World) -> tuple[str, Callable[[int], dict[str, Any]]]:
    body = {"url": f"http://{world.receiver}/v", "types": ["billing.event.*"]}
    made = world.home.owner.post("/v1/event-subscriptions", body)
    url = lambda n: f'{{"url": "http://{world.receiver}/v{n}"}}'.encode()  # noqa: E731 - one line says it
    return (f"PATCH /v1/event-subscriptions/{made['id']}",
            lambda n: {"content": url(n), "media": MERGE})  # fmt: skip


def deleted(world: World) -> tuple[str, Callable[[int], dict[str, Any]]]:
    line, _ = subscribed(world)
    return line.replace("PATCH", "DELETE"), lambda n: {}


def carried(world: World) -> tuple[str, Callable[[int], dict[str, Any]]]:
    body = {"url": f"http://{world.receiver}/s", "format": "ocsf"}
    made = world.home.owner.post("/v1/audit/siem-streams", body)
    url = lambda n: f'{{"url": "http://{world.receiver}/s{n}"}}'.encode()  # noqa: E731 - one line says it
    return (f"PATCH /v1/audit/siem-streams/{made['id']}",
            lambda n: {"content": url(n), "media": MERGE})  # fmt: skip


def carried_no_more(world: World) -> tuple[str, Callable[[int], dict[str, Any]]]:
    line, _ = carried(world)
    return line.replace("PATCH", "DELETE"), lambda n: {}


THINGS = {
    "save-draft": drafted, "change-subscription": subscribed, "delete-subscription": deleted,
    "change-siem-stream": carried, "delete-siem-stream": carried_no_more,
}  # fmt: skip


def change(
    world: World, line: str, given: dict[str, Any], **headers: str
) -> httpx.Response:  # fmt: skip
    method, path = line.split(" ")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if "media" in given:
        named["Content-Type"] = given["media"]
    more = {"content": given["content"]} if "content" in given else {}
    return world.home.owner.ask(method, path, headers=named, **more)


def told(world: World, line: str, given: dict[str, Any], **headers: str) -> httpx.Response:
    """As a client does it: one that a busy machine had no time for asks again."""
    return until(
        lambda: (a := change(world, line, given, **headers)).status_code != 503 and a
    )  # fmt: skip


def tag_of(world: World, line: str) -> str:
    return world.home.owner.ask("GET", line.split(" ")[1]).headers["etag"]


def test_every_versioned_thing_is_looked_at_here(world: World) -> None:
    asking = {o.id for o in world.document.operations if "If-Match" in o.names("header")}
    assert asking == set(THINGS)


@pytest.mark.parametrize("thing", THINGS)
def test_a_change_says_what_it_changes(world: World, thing: str) -> None:
    line, given = THINGS[thing](world)
    answer = change(world, line, given(1))
    assert (answer.status_code, answer.json()["code"]) == (428, "precondition-required")
    for wrong in ("7", 'W/"1"', '"1", "2"', "*", '"x"'):
        answer = change(world, line, given(1), If_Match=wrong)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter"), wrong


@pytest.mark.parametrize("thing", THINGS)
def test_a_stale_change_is_told_what_is_there_now(world: World, thing: str) -> None:
    line, given = THINGS[thing](world)
    stale, change_line = tag_of(world, line), line.replace("DELETE", "PATCH")
    newer = given(1) or THINGS[thing.replace("delete", "change")](world)[1](1)
    changed = change(world, change_line, newer, If_Match=stale)
    assert changed.status_code == 200, changed.text
    answer = change(world, line, given(2), If_Match=stale)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (412, "changed-meanwhile")
    assert problem["current"] == tag_of(world, line) == changed.headers["etag"]
    assert problem["changed_at"] and problem["changed_by"].startswith("per_")


@pytest.mark.parametrize("thing", THINGS)
def test_of_twenty_writers_at_once_one_wins(world: World, thing: str) -> None:
    line, given = THINGS[thing](world)
    tag = tag_of(world, line)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: told(world, line, given(n), If_Match=tag), range(20)))
    won = [answer for answer in answers if answer.status_code < 300]
    assert len(won) == 1, [a.text for a in answers]
    lost = {(a.status_code, a.json()["code"]) for a in answers if a not in won}
    assert lost <= {(412, "changed-meanwhile"), (404, "not-found")}
    if not thing.startswith("delete-"):
        assert lost == {(412, "changed-meanwhile")}
        assert tag_of(world, line) == won[0].headers["etag"]


def test_twenty_that_create_one_draft_at_once_make_it_once(world: World) -> None:
    name = new("twenty")
    line = f"PUT /v1/workflows/{name}/draft"
    text = {"content": greeter(name).encode(), "media": YAML}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: told(world, line, text, If_None_Match="*"), range(20)))
    made = [answer for answer in answers if answer.status_code == 201]
    assert len(made) == 1, [a.text for a in answers]
    assert {a.status_code for a in answers} <= {201, 409, 412}


def test_a_key_holds_after_a_restart_and_per_caller(world: World) -> None:
    made, key = requests_of(world, world.document["draft-workflow"]), secrets.token_hex(8)
    first = send(made, key)
    builder = world.member("builds", "builder")
    other = send((builder, *made[1:]), key)
    assert (other.status_code, other.json()["code"]) == (409, "workflow-exists")
    gateway = world.stack.state.processes["gateway"].pid
    assert gateway is not None
    import os
    import signal

    os.kill(gateway, signal.SIGKILL)
    again = until(lambda: _tried(made, key), 30)
    assert again.status_code == 201 and again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"


def _tried(made: Made, key: str) -> httpx.Response | None:
    try:
        answer = send(made, key)
    except httpx.TransportError:
        return None
    return answer if answer.status_code < 500 else None
