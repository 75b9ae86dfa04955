"""Who may come in, and what the door says to the others."""

from typing import Any

import pytest

from libs.common.errors import ChangedMeanwhile
from libs.common.testing import eventually
from services.audit.contract import FindAllHolds, FindCompleteness, FindHolds
from services.billing.contract import FindPlans
from services.gateway.cookies import PLAIN_NAME
from services.identity.contract import (
    FindCaller,
    FindMembers,
    FindOrganizations,
    RecordAccess,
    SessionClosed,
)

COOKIE = {"Cookie": f"{PLAIN_NAME}=token"}


async def test_nobody_gets_401_with_a_challenge(world: Any) -> None:
    answer = await world.http.get("/v1/members")
    assert answer.status_code == 401
    assert answer.json()["code"] == "not-signed-in"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_unknown_token_and_a_revoked_one_look_the_same(world: Any) -> None:
    answer = await world.ask("GET", "/v1/members")
    assert (answer.status_code, answer.json()["code"]) == (401, "credential-invalid")


async def test_a_missing_permission_is_named_and_reported(world: Any) -> None:
    world.may("workflows:read")
    answer = await world.ask("GET", "/v1/members")
    assert answer.status_code == 403
    assert answer.json()["permission"] == "members:read"

    async def reports() -> list[Any]:
        return [r for m in world.heard(RecordAccess) for r in m.reports]

    found = await eventually(reports, lambda seen: any(r.reason for r in seen))
    report = next(r for r in found if r.reason)
    assert (report.actor, report.operation) == ("per_1", "find-members")
    assert (report.reason, report.permission) == ("permission-missing", "members:read")


async def test_use_is_reported_per_operation_and_class_of_status(world: Any) -> None:
    world.may()
    world.on(FindOrganizations, lambda m, meta: {"data": [], "next": None})
    for _ in range(3):
        await world.ask("GET", "/v1/organizations")

    async def used() -> int:
        reports = [r for m in world.heard(RecordAccess) for r in m.reports]
        return sum(r.count for r in reports if r.operation == "find-organizations")

    assert await eventually(used, lambda count: count == 3) == 3


async def test_the_caller_is_asked_once_and_again_after_a_revocation(world: Any) -> None:
    world.may("members:read")
    world.on(FindMembers, lambda m, meta: {"data": [], "next": None})
    for _ in range(3):
        assert (await world.ask("GET", "/v1/members")).status_code == 200
    assert len(world.heard(FindCaller)) == 1
    world.on(FindCaller, lambda m, meta: (_ for _ in ()).throw(_invalid()))
    await world.happen(SessionClosed(session_id="ses_1", reason="revoked"), organization="instance")

    async def status() -> int:
        return (await world.ask("GET", "/v1/members")).status_code

    assert await eventually(status, lambda found: found == 401) == 401


def _invalid() -> Exception:
    from services.identity.contract import CredentialInvalid

    return CredentialInvalid("revoked")


async def test_somebody_with_several_organizations_says_which(world: Any) -> None:
    world.may("members:read", organization=None)
    answer = await world.ask("GET", "/v1/members")
    assert (answer.status_code, answer.json()["code"]) == (400, "organization-required")


async def test_the_chosen_organization_is_asked_for(world: Any) -> None:
    world.may("members:read")
    world.on(FindMembers, lambda m, meta: {"data": [], "next": None})
    answer = await world.ask("GET", "/v1/members", headers={"Troth-Organization": "acme"})
    assert answer.status_code == 200
    assert world.heard(FindCaller)[-1].organization == "acme"
    meta = world.metas(FindMembers)[-1]
    assert (meta.organization, meta.actor) == ("org_1", "per_1")
    assert meta.request_id == answer.headers["troth-request-id"]


async def test_the_operator_alone_may_what_needs_the_installation(world: Any) -> None:
    world.may("audit:read")
    assert (await world.ask("GET", "/v1/audit/completeness")).status_code == 403
    world.front.door.callers.clear()
    world.may(instance_operator=True)
    shown = {"complete": True, "audited": 0, "producers": []}
    world.on(FindCompleteness, lambda m, meta: shown)
    assert (await world.ask("GET", "/v1/audit/completeness")).json() == shown


async def test_the_operator_lists_legal_holds_without_an_organization_and_others_their_own(
    world: Any,
) -> None:
    for kind in (FindHolds, FindAllHolds):
        world.on(kind, lambda m, meta: {"data": [], "next": None})
    world.may(organization=None, instance_operator=True)
    assert (await world.ask("GET", "/v1/audit/holds?organization=org_7")).status_code == 200
    assert (await world.ask("GET", "/v1/audit/holds")).status_code == 200
    assert [m.organization_id for m in world.heard(FindAllHolds)] == ["org_7", None]
    assert world.metas(FindAllHolds)[0].organization == "instance"
    world.front.door.callers.clear()
    world.may("audit:read")
    assert (await world.ask("GET", "/v1/audit/holds?organization=org_7")).status_code == 200
    assert [type(m).__name__ for m in world.heard(FindHolds)] == ["FindAllHolds"] * 2 + [
        "FindHolds"
    ]
    assert world.heard(FindHolds)[-1].organization_id == "org_7"
    assert world.metas(FindHolds)[-1].organization == "org_1"
    world.front.door.callers.clear()
    world.may("workflows:read")
    assert (await world.ask("GET", "/v1/audit/holds")).status_code == 403
    world.front.door.callers.clear()
    world.may(organization=None)
    answer = await world.ask("GET", "/v1/audit/holds")
    assert (answer.status_code, answer.json()["code"]) == (400, "organization-required")


@pytest.mark.parametrize("headers", [
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://evil.test"}, {},
])  # fmt: skip
async def test_a_cookie_changes_nothing_from_elsewhere(world: Any, headers: Any) -> None:
    world.may()
    answer = await world.http.post("/v1/organizations", json={}, headers=COOKIE | headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross-site-refused")


async def test_a_cookie_reads_and_changes_from_our_own_pages(world: Any) -> None:
    world.may("members:read", "members:manage")
    world.on(FindMembers, lambda m, meta: {"data": [], "next": None})
    assert (await world.http.get("/v1/members", headers=COOKIE)).status_code == 200
    headers = COOKIE | {"Sec-Fetch-Site": "same-origin"}
    answer = await world.http.delete("/v1/members/per_2", headers=headers)
    assert answer.status_code == 404


@pytest.mark.parametrize("cookie", [
    b"\xa0troth=evil", b"troth=a; troth=b", b"\x85troth=evil; troth=token", b"troth=a b",
])  # fmt: skip
async def test_a_cookie_that_could_be_read_two_ways_gets_400(world: Any, cookie: bytes) -> None:
    world.may("members:read")
    answer = await world.http.get("/v1/members", headers=[(b"cookie", cookie)])
    assert answer.status_code == 400


async def test_public_routes_need_nobody(world: Any) -> None:
    world.on(FindPlans, lambda m, meta: {"data": [], "next": None})
    answer = await world.http.get("/v1/plans")
    assert (answer.status_code, answer.json()) == (200, {"data": [], "next_cursor": None})
    assert world.metas(FindPlans)[0].actor == "system:public"


async def test_a_refusal_of_a_service_comes_out_as_its_problem(world: Any) -> None:
    from services.identity.contract import ChangeRole, LastOwner

    def last_owner(message: Any, meta: Any) -> Any:
        raise LastOwner("an organization has an owner")

    world.may("members:manage")
    world.on(ChangeRole, last_owner)
    answer = await world.ask(
        "PATCH", "/v1/members/per_1", content=b'{"role":"viewer"}',
        headers={"Content-Type": "application/merge-patch+json"},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (409, "last-owner")
    assert answer.json()["type"] == "/problems/last-owner"


async def test_a_stale_if_match_shows_what_it_is_now(world: Any) -> None:
    from services.subscriptions.contract import DeleteSubscription

    def stale(message: Any, meta: Any) -> Any:
        assert meta.expected_version == 3
        raise ChangedMeanwhile("changed", current='"4"', changed_by="per_2")

    world.may("subscriptions:manage")
    world.on(DeleteSubscription, stale)
    path = "/v1/event-subscriptions/sub_1"
    answer = await world.ask("DELETE", path)
    assert (answer.status_code, answer.json()["code"]) == (428, "precondition-required")
    answer = await world.ask("DELETE", path, headers={"If-Match": '"3"'})
    assert (answer.status_code, answer.json()["current"]) == (412, '"4"')
