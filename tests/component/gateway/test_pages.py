"""The page at `/`, setting up, and the documents: without scripts, without the network."""

from typing import Any

from libs.common.log_page import LogPage
from services.executor.contract import FindExecutions
from services.identity.contract import (
    CloseSession,
    CredentialInvalid,
    InvitationUsed,
    OpenSession,
    OpenSessionByLink,
    RegisterPerson,
    SessionShown,
    SetUpInstance,
)

ORIGIN = {"Origin": "http://troth.test"}
SESSION = SessionShown.model_validate(
    {"id": "ses_1", "person": "per_1", "expires_at": "2099-01-01T00:00:00Z", "token": "tok"}
)


def execution(status: str) -> dict[str, Any]:
    return {
        "id": "exe_1", "workflow": "wf_1", "version": 3, "status": status, "outcome": None,
        "mode": "live", "trigger": {"kind": "webhook", "call_id": "call_1", "path": "orders"},
        "labels": {}, "started_at": "2026-01-02T03:04:05Z", "ended_at": None, "duration_ms": None,
        "waiting_for": None, "due_at": None, "error": None, "cancel_requested": False,
        "steps_count": 1, "effects_count": 0, "queued_for": None, "rollback": None, "parent": None,
    }  # fmt: skip


async def test_a_stranger_sees_whether_it_is_up_and_a_form(world: Any) -> None:
    answer = await world.http.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert '<form method="post" action="/sign-in">' in answer.text
    assert "<script" not in answer.text
    assert "parts do not answer" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "form-action 'self'" in policy
    assert LogPage.model_fields


async def test_the_form_signs_in_and_the_page_shows_the_last_executions(world: Any) -> None:
    world.on(OpenSession, lambda m, meta: SESSION)
    form = {"email": "a@b.example", "password": "long enough"}
    answer = await world.http.post("/sign-in", data=form, headers=ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["set-cookie"].startswith("troth=tok; ")
    world.may("executions:read")
    world.on(FindExecutions, lambda m, meta: {"data": [execution("failed")], "next": None})
    home = await world.http.get("/")
    assert "<code>exe_1</code>" in home.text and "failed" in home.text
    assert "Sign out" in home.text and 'action="/sign-in"' not in home.text


async def test_a_wrong_password_says_so_on_the_page(world: Any) -> None:
    def wrong(message: Any, meta: Any) -> Any:
        raise CredentialInvalid("no")

    world.on(OpenSession, wrong)
    form = {"email": "a@b.example", "password": "<wrong>"}
    answer = await world.http.post("/sign-in", data=form, headers=ORIGIN)
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text and "wrong&gt;" not in answer.text


async def test_a_form_of_another_site_signs_nobody_in(world: Any) -> None:
    form = {"email": "a@b.example", "password": "long enough"}
    answer = await world.http.post("/sign-in", data=form, headers={"Origin": "http://evil.test"})
    assert (answer.status_code, answer.json()["code"]) == (403, "cross-site-refused")


async def test_signing_out_ends_the_session_and_clears_the_cookie(world: Any) -> None:
    world.may()
    world.on(CloseSession, lambda m, meta: {"id": "ses_1"})
    headers = ORIGIN | {"Cookie": "troth=tok"}
    answer = await world.http.post("/sign-out", headers=headers)
    assert answer.status_code == 303
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert world.heard(CloseSession)[0].session_id == "ses_1"


async def test_the_link_of_the_first_start_makes_the_operator(world: Any) -> None:
    form = await world.http.get("/setup?token=once")
    assert 'name="token" value="once"' in form.text
    made = {
        "person": {"id": "per_1", "name": "Ada", "email": "a@b.example", "policies": {},
                   "created_at": "2026-01-01T00:00:00Z"},
        "organization": {"id": "org_1", "slug": "home", "name": "Home",
                         "founded_at": "2026-01-01T00:00:00Z", "created_by": "per_1"},
        "session": SESSION.model_dump(mode="json"),
    }  # fmt: skip
    world.on(SetUpInstance, lambda m, meta: made)
    fields = {"token": "once", "name": "Ada", "email": "a@b.example", "password": "long enough",
              "organization": "Home"}  # fmt: skip
    answer = await world.http.post("/setup", data=fields, headers=ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["set-cookie"].startswith("troth=tok; ")
    missing = await world.http.post("/setup", data={"token": "once"}, headers=ORIGIN)
    assert missing.status_code == 422 and "fill in" in missing.text


async def test_a_sign_in_link_signs_the_browser_in_and_looking_at_it_uses_nothing_up(
    world: Any,
) -> None:
    world.on(OpenSessionByLink, lambda m, meta: SESSION)
    looked = await world.http.head("/sign-in?token=once")
    assert (looked.status_code, "set-cookie" in looked.headers) == (303, False)
    other = {"Sec-Fetch-Site": "cross-site"}
    elsewhere = await world.http.get("/sign-in?token=once", headers=other)
    assert elsewhere.status_code == 403 and "set-cookie" not in elsewhere.headers
    assert not world.heard(OpenSessionByLink)
    answer = await world.http.get("/sign-in?token=once")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["set-cookie"].startswith("troth=tok; ")
    assert world.heard(OpenSessionByLink)[0].token == "once"


async def test_a_used_link_says_so_on_the_page(world: Any) -> None:
    def used(message: Any, meta: Any) -> Any:
        raise CredentialInvalid("used")

    world.on(OpenSessionByLink, used)
    answer = await world.http.get("/sign-in?token=once")
    assert answer.status_code == 401 and "set-cookie" not in answer.headers
    assert 'role="alert"' in answer.text and 'action="/sign-in"' in answer.text


async def test_the_link_of_an_invitation_signs_up_and_in(world: Any) -> None:
    form = await world.http.get("/join?token=invited")
    assert 'name="token" value="invited"' in form.text
    world.on(RegisterPerson, lambda m, meta: {"id": "per_1"})
    world.on(OpenSession, lambda m, meta: SESSION)
    fields = {"token": "invited", "name": "Bob", "email": "b@b.example", "password": "long enough",
              "old_enough": "yes"}  # fmt: skip
    answer = await world.http.post("/join", data=fields, headers=ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["set-cookie"].startswith("troth=tok; ")
    assert world.heard(RegisterPerson)[0].invitation == "invited"
    young = await world.http.post("/join", data=fields | {"old_enough": ""}, headers=ORIGIN)
    assert young.status_code == 422 and "fill in" in young.text

    def used(message: Any, meta: Any) -> Any:
        raise InvitationUsed("somebody signed up with this invitation")

    world.on(RegisterPerson, used)
    again = await world.http.post("/join", data=fields, headers=ORIGIN)
    assert again.status_code == 409 and "somebody signed up" in again.text


async def test_the_reference_works_without_the_network(world: Any) -> None:
    docs = await world.http.get("/docs")
    assert docs.headers["content-security-policy"].startswith("default-src 'self'")
    for address in ("/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/docs.js",
                    "/docs/docs.css", "/static/troth.svg", "/static/troth.css"):  # fmt: skip
        assert (await world.http.get(address)).status_code == 200, address
    assert "//" not in docs.text.replace("<!doctype", "")
    old = (await world.http.get("/docs/openapi.json")).json()
    assert old["openapi"] == "3.0.3" and '"const"' not in str(old)
    new = (await world.http.get("/openapi.json")).json()
    assert new["openapi"] == "3.1.0" and len(new["paths"]) > 50


async def test_no_other_file_can_be_reached(world: Any) -> None:
    for address in ("/docs/index.html", "/static/..%2fapp.py", "/static/docs.html"):
        assert (await world.http.get(address)).status_code == 404, address


async def test_the_public_events_are_described_without_what_is_sealed(world: Any) -> None:
    document = (await world.http.get("/asyncapi.json")).json()
    messages = document["components"]["messages"]
    assert "executor.event.execution-finished" in messages
    assert "executor.event.effect-began" not in messages
    data = messages["executor.event.execution-finished"]["payload"]["properties"]["data"]
    assert "outcome" in data["properties"] and "output" not in data["properties"]
    assert "value" not in data["properties"]["results"]["items"]["properties"]
    assert "$ref" not in str(data)
