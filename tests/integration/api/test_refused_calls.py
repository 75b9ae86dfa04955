"""Calls that start nothing: wrong signatures, documents that are no YAML, expressions that explode,
a plan that is used up. Each is answered clearly, and found in the ledger."""

import base64
import hmac
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import httpx
import pytest
from tests_support.api import JSON, YAML, Api
from tests_support.stack import until
from tests_support.world import World, greeter

KEY = base64.b64encode(b"k" * 32).decode()
BODY = b'{"who": "World"}'


def publish(api: Api, document: str) -> str:
    made = api.post("/v1/workflows", content=document.encode(), headers={"content-type": YAML})
    api.post(f"/v1/workflows/{made['id']}/publish", {"draft_version": 1})
    return made["name"]


def new(word: str) -> str:
    return f"{word}-{secrets.token_hex(3)}"


def hook(world: World, path: str, headers: dict[str, str], body: bytes = BODY) -> httpx.Response:
    return world.public.client.post(
        f"/hooks/{world.home.id}/{path}", content=body, headers={"content-type": JSON} | headers
    )


def mac(signed: bytes, key: bytes = b"hush-hush") -> bytes:
    return hmac.new(key, signed, sha256).digest()


def standard(body: bytes = BODY, at: int | None = None, key: bytes = b"k" * 32) -> dict[str, str]:
    at, name = int(time.time()) if at is None else at, new("msg")
    signed = base64.b64encode(mac(f"{name}.{at}.".encode() + body, key)).decode()
    return {"webhook-id": name, "webhook-timestamp": str(at), "webhook-signature": f"v1,{signed}"}


def stripe(body: bytes = BODY, at: int | None = None, key: bytes = b"hush-hush") -> dict[str, str]:
    at = int(time.time()) if at is None else at
    return {"stripe-signature": f"t={at},v1={mac(f'{at}.'.encode() + body, key).hex()}"}


def slack(body: bytes = BODY, at: int | None = None, key: bytes = b"hush-hush") -> dict[str, str]:
    at = int(time.time()) if at is None else at
    signed = mac(f"v0:{at}:".encode() + body, key).hex()
    return {"x-slack-request-timestamp": str(at), "x-slack-signature": f"v0={signed}"}


def github(body: bytes = BODY, key: bytes = b"hush-hush") -> dict[str, str]:
    return {"x-hub-signature-256": f"sha256={mac(body, key).hex()}"}


SCHEMES = ("standard-webhooks", "github", "stripe", "slack", "token")


def signed(scheme: str) -> tuple[str, dict[str, str], list[dict[str, str]]]:
    """A secret, a good call, and wrong ones; signed now, long after the tests were collected."""
    old = int(time.time()) - 400
    return {
        "standard-webhooks": ("whsec_" + KEY, standard(), [
            {}, standard(b"other"), standard(at=old), standard(at=old + 1000),
            standard(key=b"x" * 32), standard() | {"webhook-id": "another"},
            standard() | {"webhook-signature": "v1,"}, standard() | {"webhook-timestamp": "now"},
        ]),
        "github": ("hush-hush", github(), [
            {}, github(b"other"), github(key=b"x"), {"x-hub-signature-256": "sha256="},
            {"x-hub-signature": "sha1=" + "0" * 40},
        ]),
        "stripe": ("hush-hush", stripe(), [
            {}, stripe(b"other"), stripe(at=old), stripe(key=b"x"), {"stripe-signature": "v1=0"},
        ]),
        "slack": ("hush-hush", slack(), [
            {}, slack(b"other"), slack(at=old), slack(key=b"x"),
        ]),
        "token": ("hush-hush", {"authorization": "Bearer hush-hush"}, [
            {}, {"authorization": "Bearer hush-hus"}, {"authorization": "hush-hush-hush"},
            {"x-token": "hush-hush"},
        ]),
    }[scheme]  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_wrong_signature_starts_nothing_and_is_in_the_ledger(world: World, scheme: str) -> None:
    secret, good, wrongs = signed(scheme)
    api, name = world.home.owner, new("signed")
    key = name.replace("-", "_")
    api.put(f"/v1/secrets/{key}", {"value": secret})
    verify = f'{{scheme: {scheme}, secret: "${{{{ secret.{key} }}}}"}}'
    publish(api, greeter(name).replace("{scheme: none}", verify))
    answers = [hook(world, name, wrong) for wrong in wrongs]
    said = {(a.status_code, a.json()["code"], a.json()["detail"]) for a in answers}
    assert len(said) == 1 and next(iter(said))[:2] == (401, "signature-invalid"), said
    assert all(answer.headers["www-authenticate"] for answer in answers)
    refused = until(lambda: len_is(api, f"path={name}&outcome=refused", len(wrongs)))
    assert {call["reason"] for call in refused} == {"signature-invalid"}
    kept = api.get(f"/v1/trigger-calls/{refused[0]['id']}/data")
    assert kept["body"] is None, "what a stranger sent is not kept"
    started = hook(world, name, good)
    assert started.status_code == 200, started.text
    assert started.json() == {"text": "Hello World!"}


def len_is(api: Api, filters: str, n: int) -> list[Any] | None:
    found = api.everything(f"/v1/trigger-calls?{filters}")
    return found if len(found) == n else None


# -- language-rules.md, 1.3 ------------------------------------------------------------------------

HEAD = "troth: 1\nname: bad\nsteps:\n  - id: one\n    set: {a: 1}\n"
NOT_ALLOWED = {
    "an anchor": (HEAD + "output: &x 1\n", 6),
    "an alias": (HEAD + "labels: {a: b}\noutput: *x\n", 7),
    "a merge key": (HEAD + "output:\n  <<: {a: 1}\n", 7),
    "a tag": (HEAD + "output: !!str 1\n", 6),
    "a key twice": (HEAD + "output: 1\noutput: 2\n", 7),
    "a key that is no text": (HEAD + "output: {1: 2}\n", 6),
    "two documents": (HEAD + "---\ntroth: 1\n", 6),
    "depth over 40": (HEAD + "output: " + "[" * 41 + "]" * 41 + "\n", 6),
    "an integer of 20 digits": (HEAD + "output: 12345678901234567890\n", 6),
}


@pytest.mark.parametrize("kind", NOT_ALLOWED)
def test_a_document_that_breaks_the_file_rules_is_refused_with_its_place(
    world: World, kind: str
) -> None:
    text, line = NOT_ALLOWED[kind]
    api, yaml = world.home.owner, {"content-type": YAML}
    answer = api.ask("POST", "/v1/workflows", content=text.encode(), headers=yaml)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "malformed-yaml"), problem
    (error,) = problem["errors"]
    assert error["line"] == line and error["column"] >= 1, error
    checked = api.post("/v1/workflows/check", content=text.encode(), headers=yaml)
    assert not checked["ok"] and checked["problems"][0]["line"] == line


def test_a_document_over_256_kib_is_refused_before_it_is_parsed(world: World) -> None:
    text = HEAD.encode() + b"# " + b"x" * (256 * 1024)
    answer = world.home.owner.ask(
        "POST", "/v1/workflows", content=text, headers={"content-type": YAML}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


# -- expressions that explode --------------------------------------------------------------------

EXPLODES = {
    "steps": "${{ [a for a in range(10000) if len([b for b in range(10000) if b == a]) > 0] }}",
    "bytes": '${{ [replace(replace("xxxxx", "x", input.t), "x", input.t) for i in range(900)] }}',
    "doubling": "${{ [[[input.t for a in range(100)] for b in range(100)] for c in range(100)] }}",
}


@pytest.mark.parametrize("kind", EXPLODES)
def test_an_expression_that_explodes_ends_its_execution_and_nobody_waits(
    world: World, kind: str
) -> None:
    api, name = world.home.owner, new("explodes")
    document = (
        f"troth: 1\nname: {name}\ninput: {{type: object}}\nsteps:\n"
        f"  - id: boom\n    set: {{x: '{EXPLODES[kind]}'}}\noutput: 1\n"
    )
    publish(api, document)
    other, slowest = greeter_of(world), 0.0
    with ThreadPoolExecutor(3) as pool:
        exploding = [
            pool.submit(
                api.ask, "POST", f"/v1/workflows/{name}/executions",
                {"input": {"t": "x" * 500}}, {"Prefer": "wait=20"},
            )
            for _ in range(3)
        ]  # fmt: skip
        while not all(each.done() for each in exploding):
            begun = time.monotonic()
            assert hook(world, other, {}).status_code in (200, 202)
            assert api.ask("GET", "/v1/workflows?limit=1").status_code == 200
            slowest = max(slowest, time.monotonic() - begun)
    for each in exploding:
        ended = each.result().json()
        assert (ended["outcome"], ended["error_type"]) == ("failed", "expression-too-expensive")
        shown = api.get(f"/v1/executions/{ended['execution']}")
        assert shown["error"]["type"] == "expression-too-expensive"
        assert shown["error"]["step"] == "boom"
    assert slowest < 10, "others are answered meanwhile"


def greeter_of(world: World) -> str:
    return "greeter"


# -- the plan ------------------------------------------------------------------------------------


def test_the_executions_of_a_plan_are_never_passed_also_by_200_calls_at_once(world: World) -> None:
    owner = world.person("spends")
    made = owner.post("/v1/organizations", {"name": "Spends"})
    owner.organization = made["id"]
    limit = until(lambda: _account(owner))["limits"]["executions_per_month"]
    assert limit == 1000
    publish(owner, greeter("spender"))
    path = f"/hooks/{made['id']}/spender"
    call = lambda: world.public.client.post(path, json={"who": "x"})  # noqa: E731 - one line says it
    until(lambda: call().status_code == 200)
    month, left = datetime.now(UTC).strftime("%Y-%m"), 7
    with world.stack.connect("executor") as executor:
        changed = executor.execute(
            "update quota set used = %s where org = %s and month = %s",
            (limit - left, made["id"], month),
        )
        assert changed.rowcount == 1
    world.stack.settled()
    before = len(owner.everything("/v1/executions"))
    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda _: call(), range(200)))
    good = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert {(a.status_code, a.json()["code"]) for a in refused} == {(402, "quota-exceeded")}
    assert (len(good), len(refused)) == (left, 200 - left)
    for answer in refused:
        problem = answer.json()
        assert (problem["limit"], problem["used"]) == (limit, limit)
        assert datetime.fromisoformat(problem["resets_at"]) > datetime.now(UTC)
    query = "select used from quota where org = %s and month = %s"
    assert world.stack.rows("executor", query, made["id"], month) == [(limit,)]
    world.stack.settled()
    assert len(owner.everything("/v1/executions")) == before + left
    told = until(lambda: len_is(owner, "outcome=refused", 200 - left))
    assert {each["reason"] for each in told} == {"quota-exceeded"}
    by_hand = owner.ask("POST", "/v1/workflows/spender/executions", {"input": {}})
    assert (by_hand.status_code, by_hand.json()["code"]) == (402, "quota-exceeded")
    again = owner.ask("POST", f"/v1/trigger-calls/{told[0]['id']}/resend")
    assert (again.status_code, again.json()["code"]) == (402, "quota-exceeded")


def _account(owner: Api) -> Any:
    answer = owner.ask("GET", "/v1/billing")
    return answer.json() if answer.status_code == 200 else None


def test_an_organization_s_quota_is_its_own(world: World) -> None:
    assert hook(world, greeter_of(world), {}).status_code == 200
    assert json.loads(hook(world, greeter_of(world), {}).content) == {"text": "Hello World!"}
