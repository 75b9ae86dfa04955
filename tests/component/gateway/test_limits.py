"""Headers of every answer, limits, and what the door says when it can't be passed."""

from typing import Any

from libs.common.testing import eventually
from services.gateway import rates
from services.identity.contract import FindMembers, OpenSession, SessionShown
from services.workflows.contract import PublishWorkflow


async def test_every_answer_carries_the_headers_of_safety_and_its_request_id(world: Any) -> None:
    for path in ("/v1/members", "/nothing/here", "/hooks/acme/x", "/problems"):
        answer = await world.http.get(path)
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["troth-request-id"].startswith("req_")
        assert headers["ratelimit-policy"] and headers["ratelimit"]
        assert "strict-transport-security" not in headers


async def test_too_fast_is_429_with_the_time_to_wait(world: Any) -> None:
    world.may("members:read")
    world.on(FindMembers, lambda m, meta: {"data": [], "next": None})
    world.front.door.rates.api = rates.Buckets(rates.Limit("api", 0.01, 2))
    codes = [(await world.ask("GET", "/v1/members")).status_code for _ in range(2)]
    answer = await world.ask("GET", "/v1/members")
    assert (codes, answer.status_code) == ([200, 200], 429)
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["ratelimit-policy"] == '"api";q=2;w=200'


async def test_the_sixth_sign_in_of_an_account_in_a_minute_is_refused(world: Any) -> None:
    session = SessionShown.model_validate(
        {"id": "ses_1", "person": "per_1", "expires_at": "2099-01-01T00:00:00Z", "token": "t"}
    )
    world.on(OpenSession, lambda m, meta: session)
    body = {"email": "a@b.example", "password": "long enough"}
    answers = []
    for _ in range(6):
        answers.append(await world.http.post("/v1/sessions", json=body))
        world.http.cookies.clear()
    assert [a.status_code for a in answers] == [201] * 5 + [429]
    assert answers[0].json()["token"] is None
    cookie = answers[0].headers["set-cookie"]
    assert cookie.startswith("troth=t; Path=/; Max-Age=")
    assert "HttpOnly; SameSite=Lax" in cookie
    other = {"email": "c@b.example", "password": "long enough", "as": "token"}
    token = await world.http.post("/v1/sessions", json=other)
    assert (token.json()["token"], "set-cookie" in token.headers) == ("t", False)
    assert "a@b.example" not in (world.heard(OpenSession)[0].address or "")


async def test_methods_types_and_headers_that_nobody_takes(world: Any) -> None:
    world.may("members:read")
    wrong = await world.ask("PUT", "/v1/members")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, POST")
    unwanted = await world.ask("GET", "/v1/members", headers={"Accept": "text/html"})
    assert (unwanted.status_code, unwanted.json()["code"]) == (406, "not-acceptable")
    big = await world.ask("GET", "/v1/members", headers={"X-Big": "a" * 17_000})
    assert (big.status_code, big.json()["limit_bytes"]) == (431, 16 * 1024)
    missing = await world.ask("GET", "/v1/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")


async def test_a_draining_process_says_so(world: Any) -> None:
    world.front.door.draining = True
    answer = await world.http.get("/")
    assert (answer.status_code, answer.json()["code"]) == (503, "draining")
    assert answer.headers["retry-after"] == "2"


async def test_a_service_that_does_not_answer_is_named(world: Any) -> None:
    world.may("workflows:publish")
    await world.around.bus.stop()
    world.front.door.callers.clear()

    async def code() -> str:
        answer = await world.ask("POST", "/v1/workflows/a/publish", json={"draft_version": 1})
        assert answer.status_code == 503
        return answer.json()["part"]

    assert await eventually(code, lambda part: part == "identity") == "identity"
    assert world.heard(PublishWorkflow) == []
