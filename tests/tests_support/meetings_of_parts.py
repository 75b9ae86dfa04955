"""How a caller meets the code of each problem: things, limits and parts that do not answer."""

import asyncio
import base64
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpx

from services.gateway.app import build
from services.gateway.front import Front
from services.gateway.settings import GatewaySettings
from tests_support.api import YAML, Api
from tests_support.meetings import drafted, meets, new, published, signed
from tests_support.stack import until
from tests_support.world import PASSWORD, SIGN_UP, World, greeter


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


@meets("not-signed-yet")
def _(world: World) -> httpx.Response:
    return world.home.owner.ask("GET", "/v1/audit/consistency?from=1&to=999999999")


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
