"""The record of processing activities validates, is the same each time, and invents nothing."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from pydantic import ValidationError

from libs.common.purposes import LEGAL_BASES
from libs.common.testing import INDEX_KEY, KEK
from services.audit import processing
from services.audit.contract import RecordShown
from services.audit.inventory import inventory
from services.audit.operator import OperatorSettings
from services.audit.processing import digest_of, record

SCHEMA = Path(processing.__file__).with_name("processing-record.schema.json")
SAID: dict[str, Any] = {
    "operator_name": "Ada & Co", "operator_contact": "privacy@example.com",
    "operator_representative": "none needed", "operator_protection_officer": "Bea",
    "operator_recipients": [
        {"name": "Mail House", "purpose": "sends our mail", "country": "DE"},
        {"name": "Far House", "purpose": "keeps backups", "country": "US", "safeguard": "SCC"},
    ],
}  # fmt: skip


def operator(**said: Any) -> OperatorSettings:
    return OperatorSettings.model_validate({"kek": KEK, "index_key": INDEX_KEY} | said)


def made(**said: Any) -> dict[str, Any]:
    return json.loads(record(inventory(), operator(**said), "0.1.0").model_dump_json())


def problems(value: Any) -> list[str]:
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    return [str(error.message) for error in validator.iter_errors(value)]


@pytest.mark.parametrize("said", [{}, SAID], ids=["nothing said", "all said"])
def test_the_record_validates_against_its_schema(said: dict[str, Any]) -> None:
    assert problems(made(**said)) == []


@pytest.mark.parametrize("name", sorted(RecordShown.model_fields))
def test_a_record_without_one_of_its_parts_does_not_validate(name: str) -> None:
    given = made()
    del given[name]
    assert problems(given)


def test_an_unknown_basis_or_data_class_does_not_validate() -> None:
    for name, wrong in (("basis", "because we can"), ("data_class", "none"), ("rule", "for ever")):
        given = made()
        given["activities"][0]["data"][0][name] = wrong
        assert problems(given), name


def test_what_the_operator_has_not_said_is_null_and_named() -> None:
    shown = made()
    assert set(shown["controller"].values()) == {None}
    assert (shown["recipients"], shown["transfers"]) == (None, None)
    assert shown["absent"] == [
        "/controller/name", "/controller/contact", "/controller/representative",
        "/controller/protection_officer", "/recipients", "/transfers",
    ]  # fmt: skip


def test_what_the_operator_has_said_stands_there_and_only_far_recipients_are_transfers() -> None:
    shown = made(**SAID)
    assert shown["absent"] == []
    assert shown["controller"]["name"] == "Ada & Co"
    assert [one["name"] for one in shown["recipients"]] == ["Mail House", "Far House"]
    assert [one["name"] for one in shown["transfers"]] == ["Far House"]


def test_a_transfer_without_a_safeguard_is_said_to_lack_it() -> None:
    far = {"name": "Far House", "purpose": "keeps backups", "country": "US"}
    assert "/recipients/0/safeguard" in made(operator_recipients=[far])["absent"]
    assert made(operator_recipients=[])["absent"][-1] == "/controller/protection_officer"


def test_a_recipient_that_says_too_little_stops_the_start() -> None:
    with pytest.raises(ValidationError):
        operator(operator_recipients=[{"name": "Nobody"}])


def test_recipients_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("KEK", KEK), ("INDEX_KEY", INDEX_KEY), ("OPERATOR_NAME", "Ada & Co")):
        monkeypatch.setenv(f"TROTH_{name}", value)
    monkeypatch.setenv("TROTH_OPERATOR_RECIPIENTS", json.dumps(SAID["operator_recipients"]))
    settings = OperatorSettings()  # pyright: ignore[reportCallIssue] - read from the environment
    shown = record(inventory(), settings, "0.1.0")
    assert [one.country for one in shown.recipients or ()] == ["DE", "US"]
    assert shown.controller.name == "Ada & Co"


def test_the_digest_is_of_the_record_and_changes_with_it() -> None:
    one, again, other = made(), made(), made(operator_name="Ada & Co")
    assert one == again
    assert one["digest"] == digest_of(one)
    assert other["digest"] not in (one["digest"], digest_of(other | {"release": "0.2.0"}))


def test_every_personal_value_of_the_inventory_is_in_one_activity_of_its_purpose() -> None:
    by_purpose = {a["purpose"]: a for a in made()["activities"]}
    missing = [
        f"{place.name}.{leaf.path}"
        for place in inventory().places
        for leaf in place.leaves
        if leaf.data_class != "none" and leaf.subject != "nobody"
        and (leaf.category, leaf.retention) not in {
            (data["category"], data["rule"]) for data in by_purpose[leaf.purpose]["data"]
        }
    ]  # fmt: skip
    assert missing == []
    assert {basis for a in by_purpose.values() for basis in a["bases"]} <= LEGAL_BASES
