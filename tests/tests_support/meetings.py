"""How a caller meets the code of each problem: requests and refusals of the door."""

import secrets
from collections.abc import Callable
from typing import Any

import httpx

from tests_support.api import YAML, Api
from tests_support.world import OPERATOR, PASSWORD, SIGN_UP, World, greeter

Meets = Callable[[World], httpx.Response]
MEETS: dict[str, Meets] = {}


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


def invited(world: World) -> tuple[str, str]:
    """An address that nobody has, and the token of its invitation."""
    email = f"{new('guest')}@example.com"
    made = world.home.owner.post("/v1/invitations", {"email": email, "role": "viewer"})
    return email, made["token"]


def join(world: World, email: str, token: str) -> httpx.Response:
    body = SIGN_UP | {"name": "Guest", "email": email, "invitation": token}
    return Api(world.public.base, world.document).ask("POST", "/v1/people", body)


@meets("invitation-invalid")
def _(world: World) -> httpx.Response:
    return join(world, invited(world)[0], "troth_inv_nobody-made-it")


@meets("invitation-foreign")
def _(world: World) -> httpx.Response:
    return join(world, f"{new('other')}@example.com", invited(world)[1])


@meets("invitation-used")
def _(world: World) -> httpx.Response:
    email, token = invited(world)
    assert join(world, email, token).status_code == 201
    return join(world, f"{new('second')}@example.com", token)


@meets("signed-up-already")
def _(world: World) -> httpx.Response:
    body = {"email": OPERATOR["email"], "role": "viewer"}
    return world.home.owner.ask("POST", "/v1/invitations", body)


@meets("member-exists")
def _(world: World) -> httpx.Response:
    body = {"email": OPERATOR["email"], "role": "owner"}
    return world.home.owner.ask("POST", "/v1/members", body)


@meets("organization-exists")
def _(world: World) -> httpx.Response:
    return world.person("copies").ask("POST", "/v1/organizations", {"name": "x", "slug": "other"})
