"""Legal holds and receipts over HTTP: who sees what of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests_support.api import Api
from tests_support.stack import until
from tests_support.world import World

from libs.trail.notes import Verifier


def placed(world: World, owner: Api, **more: Any) -> dict[str, Any]:
    """On everything of the other organization, by the operator."""
    now = datetime.now(UTC)
    body: dict[str, Any] = {
        "organization_id": world.other.id, "reason": "a quarrel about an invoice",
        "from": (now - timedelta(days=1)).isoformat(), "to": (now + timedelta(days=1)).isoformat(),
        "expires_at": (now + timedelta(days=30)).isoformat(), "type": ["workflows.event.*"],
    } | more  # fmt: skip
    return owner.post("/v1/audit/holds", body)


@pytest.fixture
def hold(world: World) -> dict[str, Any]:
    return placed(world, world.home.owner)


def test_an_operator_keeps_entries_and_the_organization_sees_that_there_is_a_hold(
    world: World, hold: dict[str, Any]
) -> None:
    operator, theirs = world.home.owner, world.other.owner
    path = f"/v1/audit/holds/{hold['id']}/entries"

    kept = until(lambda: operator.get(path)["data"])

    assert {one["entry"]["type"].split(".")[0] for one in kept} == {"workflows"}
    assert {one["trail"] for one in kept} == {theirs.get("/v1/audit/checkpoint")["trail"]}
    (seen,) = [one for one in theirs.get("/v1/audit/holds")["data"] if one["id"] == hold["id"]]
    assert seen["reason"] == "a quarrel about an invoice"
    assert (seen["event_type"], seen["entries"]) == (None, None)
    (all_of_it,) = [
        one for one in operator.get("/v1/audit/holds")["data"] if one["id"] == hold["id"]
    ]
    assert all_of_it["event_type"] == ["workflows.event.*"]
    assert all_of_it["entries"] >= len(kept)
    assert theirs.ask("GET", path).status_code == 403
    assert theirs.ask("POST", "/v1/audit/holds", {"reason": "mine"}).status_code == 403


def test_an_operator_lists_the_holds_of_all_organizations_or_of_one(
    world: World, hold: dict[str, Any]
) -> None:
    operator, theirs = world.home.owner, world.other.owner

    def of(who: Api, query: str) -> set[str]:
        found = who.everything(f"/v1/audit/holds{query}")
        return {one["organization_id"] for one in found if one["how"] is None}

    own = placed(world, operator, organization_id=world.home.id)
    assert {world.home.id, world.other.id} <= of(operator, "")
    for organization in (world.home.id, world.other.id):
        assert of(operator, f"?organization={organization}") == {organization}
    assert of(theirs, "") == of(theirs, f"?organization={world.other.id}") == {world.other.id}
    assert of(theirs, f"?organization={world.home.id}") == set()
    assert of(operator, "?organization=org_nobody") == set()
    assert operator.ask("DELETE", f"/v1/audit/holds/{own['id']}").status_code == 204


def test_who_lifts_it_destroys_it_and_the_organization_gets_a_receipt(
    world: World, hold: dict[str, Any]
) -> None:
    operator, theirs = world.home.owner, world.other.owner
    until(lambda: operator.get(f"/v1/audit/holds/{hold['id']}/entries")["data"])

    for _ in range(2):
        assert operator.ask("DELETE", f"/v1/audit/holds/{hold['id']}").status_code == 204

    assert operator.get(f"/v1/audit/holds/{hold['id']}/entries")["data"] == []
    (seen,) = [one for one in theirs.get("/v1/audit/holds")["data"] if one["id"] == hold["id"]]
    assert seen["how"] == "lifted"
    path = f"/v1/receipts/{seen['receipt']}"
    key, _ = world.public.get("/v1/audit/keys")["data"]
    note = theirs.ask("GET", path, headers={"Accept": "text/plain"}).text
    lines = Verifier.parse(key["verifier_key"]).open(note).splitlines()
    assert lines[1] == seen["receipt"]
    assert lines[3] == f"hold {hold['id']}"
    assert theirs.get(path)["note"] == note
    assert operator.ask("GET", path).status_code == 404


def test_a_hold_that_makes_no_sense_is_refused(world: World) -> None:
    operator, now = world.home.owner, datetime.now(UTC)
    for wrong in ({"to": "2020-01-01T00:00:00Z"}, {"expires_at": now.isoformat()},
                  {"reason": ""}, {"type": []}, {"colour": "red"}):  # fmt: skip
        body = {"organization_id": world.other.id, "reason": "x", "from": "2026-01-01T00:00:00Z",
                "to": "2026-01-02T00:00:00Z", "expires_at": "2099-01-01T00:00:00Z"}  # fmt: skip
        answer = operator.ask("POST", "/v1/audit/holds", body | wrong)
        assert answer.status_code == 422, answer.text
