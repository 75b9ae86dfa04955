"""Every code of a problem is met here as a caller meets it, or it says why it can't be."""

import asyncio
import base64
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpx
import pytest
from tests_support.api import YAML, Api
from tests_support.stack import until
from tests_support.world import OPERATOR, PASSWORD, SIGN_UP, World, greeter

from services.gateway.app import build
from services.gateway.catalogue import CATALOGUE
from services.gateway.front import Front
from services.gateway.settings import GatewaySettings

Meets = Callable[[World], httpx.Response]
MEETS: dict[str, Meets] = {}
NOT_HERE = {
    "plan-lacks-feature": "no plan holds a feature back yet",
    "not-compatible": "comes with migrating executions",
    "already-decided": "comes with approvals",
    "execution-ended": "cancelling answers 200 with what it became; pause and resume come later",
    "sign-up-closed": "a setting of the installation: tests/component/identity/test_sign_in.py",
    "conflict": "eight lost races in a row: tests/component/common/test_eventstore.py",
    "rejected": "the kind's own code: every refusal has one of its own",
    "quota-exceeded": "test_refused_calls.py, with 200 at once",
}


def meets(code: str) -> Callable[[Meets], Meets]:
    def register(function: Meets) -> Meets:
        MEETS[code] = function
        return function

    return register


def new(word: str) -> str:
    return f"{word}-{secrets.token_hex(3)}"


def drafted(api: Api, document: str) -> Any:
    return api.post("/v1/workflows", content=document.encode(), headers={"content-type": YAML})


def published(world: World, document: str) -> Any:
    made = drafted(world.home.owner, document)
    return world.home.owner.post(f"/v1/workflows/{made['id']}/publish", {"draft_version": 1})


def test_every_code_is_met_or_says_why_not() -> None:
    assert set(CATALOGUE) == set(MEETS) | set(NOT_HERE)
    assert not set(MEETS) & set(NOT_HERE)


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_a_code_is_met_with_its_status_and_explained_on_its_page(world: World, code: str) -> None:
    page = world.public.ask("GET", f"/problems/{code}")
    assert page.status_code == 200 and "What to do" in page.text
    if code in NOT_HERE:
        return
    answer = MEETS[code](world)
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.json()["code"] == code, answer.text
    assert answer.status_code == CATALOGUE[code].status
    assert answer.json()["type"] == f"/problems/{code}"


# -- 400 -----------------------------------------------------------------------------------------


@meets("malformed-json")
def _(world: World) -> httpx.Response:
    return world.home.owner.ask("POST", "/v1/api-keys", content=b"{",
                                headers={"content-type": "application/json"})  # fmt: skip


@meets("malformed-yaml")
def _(world: World) -> httpx.Response:
    return world.home.owner.ask("POST", "/v1/workflows", content=b"a: &x 1",
                                headers={"content-type": YAML})  # fmt: skip


@meets("unknown-parameter")
def _(world: World) -> httpx.Response:
    return world.home.owner.ask("GET", "/v1/workflows?nam=x")


@meets("invalid-parameter")
def _(world: World) -> httpx.Response:
    return world.home.owner.ask("GET", "/v1/workflows?limit=0")


@meets("cursor-mismatch")
def _(world: World) -> httpx.Response:
    cursor = world.public.get("/v1/plans?limit=1")["next_cursor"]
    return world.home.owner.ask("GET", f"/v1/workflows?cursor={cursor}")


@meets("organization-required")
def _(world: World) -> httpx.Response:
    return world.person("alone").ask("GET", "/v1/workflows")


# -- 401, 403 ------------------------------------------------------------------------------------


@meets("not-signed-in")
def _(world: World) -> httpx.Response:
    return world.public.ask("GET", "/v1/me")


@meets("credential-invalid")
def _(world: World) -> httpx.Response:
    return world.public.with_token("troth_key_never").ask("GET", "/v1/me")


@meets("signature-invalid")
def _(world: World) -> httpx.Response:
    name = signed(world)
    return world.public.client.post(f"/hooks/{world.home.id}/{name}", json={})


def signed(world: World) -> str:
    name = new("signed")
    world.home.owner.put("/v1/secrets/hook", {"value": "hush-hush"})
    verify = '{scheme: token, secret: "${{ secret.hook }}"}'
    published(world, greeter(name).replace("{scheme: none}", verify))
    return name


@meets("permission-missing")
def _(world: World) -> httpx.Response:
    return world.key("members:read").ask("GET", "/v1/workflows")


@meets("cross-site-refused")
def _(world: World) -> httpx.Response:
    person = world.person("browses")
    body = {"email": person.email, "password": PASSWORD}
    answer = world.public.client.post("/v1/sessions", json=body)
    world.public.client.cookies.clear()
    cookie = answer.headers["set-cookie"].partition(";")[0]
    headers = {"Cookie": cookie, "Sec-Fetch-Site": "cross-site"}
    return world.public.ask("POST", "/v1/organizations", {"name": "x"}, headers)


@meets("role-above-own")
def _(world: World) -> httpx.Response:
    admin, other = world.member("admin", "admin"), world.person("other")
    return admin.ask("POST", "/v1/members", {"email": other.email, "role": "owner"})


@meets("scope-above-own")
def _(world: World) -> httpx.Response:
    runner = world.member("runner", "runner")
    return runner.ask("POST", "/v1/api-keys", {"name": "x", "scopes": ["secrets:manage"]})


@meets("person-needed")
def _(world: World) -> httpx.Response:
    return world.key("workflows:read").ask("POST", "/v1/organizations", {"name": "x"})


# -- 404, 405, 406, 413, 415, 431 ----------------------------------------------------------------


@meets("not-found")
def _(world: World) -> httpx.Response:
    return world.home.owner.ask("GET", "/v1/workflows/nobody")


@meets("hook-not-found")
def _(world: World) -> httpx.Response:
    return world.public.client.post(f"/hooks/{world.home.id}/nobody", json={})


@meets("method-not-allowed")
def _(world: World) -> httpx.Response:
    return world.home.owner.ask("PUT", "/v1/me", {})


@meets("not-acceptable")
def _(world: World) -> httpx.Response:
    return world.home.owner.ask("GET", "/v1/me", headers={"accept": "image/png"})


@meets("body-too-large")
def _(world: World) -> httpx.Response:
    return world.home.owner.ask("POST", "/v1/api-keys", content=b" " * (256 * 1024 + 1),
                                headers={"content-type": "application/json"})  # fmt: skip


@meets("media-type-unsupported")
def _(world: World) -> httpx.Response:
    return world.home.owner.ask("POST", "/v1/api-keys", content=b"x",
                                headers={"content-type": "text/plain"})  # fmt: skip


@meets("headers-too-large")
def _(world: World) -> httpx.Response:
    return world.home.owner.ask("GET", "/v1/me", headers={"x-long": "x" * 17_000})


# -- 409 -----------------------------------------------------------------------------------------


@meets("workflow-exists")
def _(world: World) -> httpx.Response:
    text = greeter(new("twice")).encode()
    drafted(world.home.owner, text.decode())
    return world.home.owner.ask("POST", "/v1/workflows", content=text,
                                headers={"content-type": YAML})  # fmt: skip


@meets("workflow-archived")
def _(world: World) -> httpx.Response:
    made = published(world, greeter(new("away")))
    world.home.owner.post(f"/v1/workflows/{made['id']}/archive")
    return world.home.owner.ask("POST", f"/v1/workflows/{made['id']}/enable")


@meets("path-taken")
def _(world: World) -> httpx.Response:
    path = new("taken")
    published(world, greeter(new("first"), path))
    second = drafted(world.home.owner, greeter(new("second"), path))
    return world.home.owner.ask(
        "POST", f"/v1/workflows/{second['id']}/publish", {"draft_version": 1}
    )


@meets("email-taken")
def _(world: World) -> httpx.Response:
    body = SIGN_UP | {"name": "Ada", "email": OPERATOR["email"]}
    return Api(world.public.base, world.document).ask("POST", "/v1/people", body)


@meets("member-exists")
def _(world: World) -> httpx.Response:
    body = {"email": OPERATOR["email"], "role": "owner"}
    return world.home.owner.ask("POST", "/v1/members", body)


@meets("organization-exists")
def _(world: World) -> httpx.Response:
    return world.person("copies").ask("POST", "/v1/organizations", {"name": "x", "slug": "other"})


@meets("set-up-already")
def _(world: World) -> httpx.Response:
    token = world.stack.operator_token
    body = {"token": token, "name": "Eve", "email": "eve@example.com", "password": PASSWORD}
    return Api(world.public.base, world.document).ask("POST", "/v1/instance/setup", body)


@meets("limit-reached")
def _(world: World) -> httpx.Response:
    bob = world.other.owner
    body = {"url": f"http://{world.receiver}/many", "types": ["billing.event.*"]}
    for _ in range(20):
        answer = bob.ask("POST", "/v1/event-subscriptions", body)
        if answer.status_code != 201:
            return answer
    return bob.ask("POST", "/v1/event-subscriptions", body)


@meets("secret-in-use")
def _(world: World) -> httpx.Response:
    signed(world)
    return world.home.owner.ask("DELETE", "/v1/secrets/hook")


@meets("subscription-disabled")
def _(world: World) -> httpx.Response:
    gone = world.home.ids["disabled"]
    return world.home.owner.ask("POST", f"/v1/event-subscriptions/{gone}/test")


@meets("last-owner")
def _(world: World) -> httpx.Response:
    person = world.home.ids["person"]
    return world.home.owner.ask("DELETE", f"/v1/members/{person}")


@meets("idempotency-key-in-use")
def _(world: World) -> httpx.Response:
    api = Api(world.public.base, world.document)
    body = SIGN_UP | {"name": "Twice", "email": f"{new('twice')}@example.com"}
    key = {"Idempotency-Key": new("key")}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: api.ask("POST", "/v1/people", body, key), range(4)))
    assert 201 in {answer.status_code for answer in answers}
    return max(answers, key=lambda answer: answer.status_code)


# -- 412, 422, 428 -------------------------------------------------------------------------------


@meets("changed-meanwhile")
def _(world: World) -> httpx.Response:
    name = new("stale")
    drafted(world.home.owner, greeter(name))
    headers = {"If-Match": '"99"', "content-type": YAML}
    return world.home.owner.ask(
        "PUT", f"/v1/workflows/{name}/draft", content=greeter(name).encode(), headers=headers
    )


@meets("precondition-required")
def _(world: World) -> httpx.Response:
    path = f"/v1/event-subscriptions/{world.home.ids['subscription']}"
    return world.home.owner.ask("DELETE", path)


@meets("invalid-input")
def _(world: World) -> httpx.Response:
    return world.home.owner.ask("POST", "/v1/api-keys", {"name": 1})


@meets("workflow-invalid")
def _(world: World) -> httpx.Response:
    made = drafted(world.home.owner, greeter(new("bad")).replace("input,", "inptu,"))
    return world.home.owner.ask("POST", f"/v1/workflows/{made['id']}/publish", {"draft_version": 1})


@meets("nothing-to-publish")
def _(world: World) -> httpx.Response:
    made = published(world, greeter(new("same")))
    return world.home.owner.ask("POST", f"/v1/workflows/{made['id']}/publish", {"draft_version": 1})


@meets("nothing-to-resend")
def _(world: World) -> httpx.Response:
    name, owner = signed(world), world.home.owner
    world.public.client.post(f"/hooks/{world.home.id}/{name}", json={})
    (call,) = until(lambda: owner.get(f"/v1/trigger-calls?path={name}")["data"])
    return owner.ask("POST", f"/v1/trigger-calls/{call['id']}/resend")


@meets("url-not-allowed")
def _(world: World) -> httpx.Response:
    body = {"url": "http://169.254.169.254/", "types": ["billing.event.*"]}
    return world.home.owner.ask("POST", "/v1/event-subscriptions", body)


@meets("idempotency-key-reused")
def _(world: World) -> httpx.Response:
    key, body = {"Idempotency-Key": new("key")}, {"name": "x", "scopes": ["members:read"]}
    world.home.owner.post("/v1/api-keys", body, headers=key)
    return world.home.owner.ask("POST", "/v1/api-keys", body | {"name": "y"}, key)


@meets("password-refused")
def _(world: World) -> httpx.Response:
    body = SIGN_UP | {"name": "x", "email": f"{new('x')}@example.com", "password": "password1"}
    return Api(world.public.base, world.document).ask("POST", "/v1/people", body)


# -- 429, 500, 503 -------------------------------------------------------------------------------


@meets("rate-limited")
def _(world: World) -> httpx.Response:
    api = Api(world.public.base, world.document)
    body = {"email": f"{new('nobody')}@example.com", "password": PASSWORD}
    answers = [api.ask("POST", "/v1/sessions", body) for _ in range(6)]
    assert {answer.status_code for answer in answers[:5]} == {401}
    return answers[-1]


@meets("execution-failed")
def _(world: World) -> httpx.Response:
    name = new("fails")
    published(world, greeter(name).replace("output: {text", 'output: {half: "${{ 1 / 0 }}", text'))
    answer = world.public.client.post(f"/hooks/{world.home.id}/{name}", json={})
    assert answer.json()["execution"].startswith("exe_")
    assert answer.json()["error_type"] == "expression-division-by-zero"
    return answer


@contextmanager
def paused(world: World, process: str) -> Iterator[None]:
    """A process that is there and does not answer."""
    pid = world.stack.state.processes[process].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@cache
def unanswered(world: World) -> list[httpx.Response]:
    """What 80 callers at once get while no executor answers; 64 of them wait their turn."""
    call = lambda _: world.public.client.post(  # noqa: E731 - local
        f"/hooks/{world.home.id}/greeter", json={"who": "x"}
    )
    with paused(world, "executor-1"), ThreadPoolExecutor(80) as pool:
        begun = time.monotonic()
        answers = list(pool.map(call, range(80)))
        assert time.monotonic() - begun < 30
    return answers


@meets("unavailable")
def _(world: World) -> httpx.Response:
    answer = unanswered(world)[0]
    assert answer.headers["idempotency-key"] and answer.headers["retry-after"]
    assert answer.json()["part"] == "executor"
    return answer


@meets("too-many-running")
def _(world: World) -> httpx.Response:
    (answer, *_) = [one for one in unanswered(world) if one.status_code == 429]
    assert answer.json()["limit"] == 64
    return answer


# -- moments of a process, met in this one -------------------------------------------------------


def at(moment: Callable[[Front], None]) -> httpx.Response:
    """What a gateway without servers answers in that moment."""
    key = base64.b64encode(b"k" * 32).decode()
    _, front = build(GatewaySettings.model_validate({"kek": key, "index_key": key}))
    moment(front)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(front)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/v1/me")

    return asyncio.run(ask())


@meets("starting")
def _(world: World) -> httpx.Response:
    return at(lambda front: None)


@meets("draining")
def _(world: World) -> httpx.Response:
    return at(lambda front: setattr(front.door, "draining", True))


@meets("internal")
def _(world: World) -> httpx.Response:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("what only the log may say")

    def moment(front: Front) -> None:
        front.door.opened, front.rest = True, broken

    answer = at(moment)
    assert "only the log" not in answer.text
    return answer
