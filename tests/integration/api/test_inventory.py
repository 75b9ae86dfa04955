"""A whole installation, with everything in it that can happen, is what its inventory says."""

import json
from pathlib import Path

import jsonschema_rs
from tests_support.world import World

from services.audit import processing
from services.audit.processing import digest_of

SCHEMA = Path(processing.__file__).with_name("processing-record.schema.json")


def test_a_running_installation_holds_nothing_that_is_not_in_the_inventory(world: World) -> None:
    checked = world.home.owner.post("/v1/inventory/check")
    assert (checked["unanswered"], checked["differences"]) == ([], [])
    assert checked["complete"]
    shown = world.home.owner.get("/v1/inventory")
    assert shown["complete"]
    assert shown["checked_at"] >= checked["checked_at"][:19]
    assert {place["service"] for place in shown["places"]} == {
        "audit", "billing", "executor", "identity", "subscriptions", "workflows",
    }  # fmt: skip


def test_an_auditor_reads_the_inventory_and_may_not_check_it(world: World) -> None:
    auditor = world.member("inventory", "auditor")
    people = auditor.get("/v1/inventory?service=identity&kind=table")["places"]
    names = {leaf["path"]: leaf for p in people if p["name"] == "people" for leaf in p["leaves"]}
    assert names["email"] == {
        "path": "email", "data_class": "direct", "category": "e-mail address",
        "subject": "people with an account",
        "purpose": "people, organizations, and who may do what",
        "basis": "contract", "retention": "identity.people", "sealed": True,
    }  # fmt: skip
    assert auditor.ask("POST", "/v1/inventory/check").status_code == 403


def test_the_record_of_processing_validates_and_says_what_nobody_has_said(world: World) -> None:
    record = world.home.owner.get("/v1/processing-record")
    jsonschema_rs.validator_for(json.loads(SCHEMA.read_text())).validate(record)
    assert record["digest"] == digest_of(record)
    assert "/controller/name" in record["absent"]
