"""Who may open what follows from the inventory, and the code asks for nothing else."""

import ast
from collections.abc import Iterator
from typing import get_args

import pytest

from libs.common.grants import GRANTS, NOT_ASKED_FOR, OPENS, Purpose
from libs.common.inventory import NotInInventory, places_of
from libs.common.purposes import Basis
from libs.common.purposes import Purpose as For
from libs.common.retention import OF_EVERY_LOG, Retention
from services.identity import keystore
from tools import inventory

# Rings of keys of a service, and its names of purposes; `keystore` is identity's own.
RINGS = ("keys", "_keys")
CALLS = {"key": 1, "open": 1, "seal": 1, "at_hand": 1}
NAMES = {"PURPOSE": "executions", "CONTENT": "content", "SECRETS": "secrets"}
IN_MEMORY = {"simulation"}  # of services/executor/simulate.py: a key that nobody keeps


def declared() -> dict[str, set[str]]:
    """What the rules of retention keep sealed, and whose records are opened beside one's own."""
    rules = {f"{service}.{r.name}": r for service, own in inventory.rules().items() for r in own}
    found = {name: set[str]() for name in inventory.service_names()}
    for full, rule in rules.items():
        found[full.partition(".")[0]] |= set(rule.keys) - NOT_ASKED_FOR
    for service, opened in OPENS.items():
        for rule in opened:
            found[service] |= set(rules[rule].keys) - NOT_ASKED_FOR
    return found


def test_every_grant_follows_from_the_inventory_and_nothing_more_is_granted() -> None:
    assert {service: set(purposes) for service, purposes in GRANTS.items()} == declared()


def test_a_rule_names_keys_exactly_where_something_is_sealed() -> None:
    sealed = {
        place.rule
        for place in inventory.places()
        if any(leaf.meaning.sealed for leaf in place.leaves)
    }
    named = {
        f"{service}.{rule.name}"
        for service, rules in inventory.rules().items()
        for rule in (*rules, *(OF_EVERY_LOG if service != "gateway" else ()))
        if rule.keys
    }
    assert sealed == named


def test_every_key_that_is_named_is_one_that_there_is() -> None:
    named = {key for rules in inventory.rules().values() for rule in rules for key in rule.keys}
    assert named - NOT_ASKED_FOR == set(get_args(Purpose))


def test_a_record_with_something_sealed_and_no_key_is_refused() -> None:
    rule = Retention("keys", 1, "keys", For.BILLING, Basis.CONTRACT, tables=("data_keys",))
    with pytest.raises(NotInInventory, match="no key is named for what data_keys holds sealed"):
        places_of("books", [rule], [keystore.data_keys], [])


def asked_for() -> Iterator[tuple[str, str, str]]:
    """Service, place in the code, and purpose of every use of a ring of keys."""
    for file in sorted((inventory.ROOT / "services").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            at = CALLS.get(node.func.attr)
            ring = ast.unparse(node.func.value).rpartition(".")[2]
            if at is None or ring not in RINGS or len(node.args) <= at:
                continue
            service = file.relative_to(inventory.ROOT / "services").parts[0]
            yield service, f"{file.name}:{node.lineno}", _purpose(node.args[at])


def _purpose(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return NAMES.get(ast.unparse(node), ast.unparse(node))


def test_the_code_asks_only_for_keys_that_are_granted_to_its_service() -> None:
    refused = [
        (service, place, purpose)
        for service, place, purpose in asked_for()
        if purpose not in GRANTS[service] | IN_MEMORY and service != "audit"
    ]
    assert refused == []


def test_no_grant_is_unused() -> None:
    used = {(service, purpose) for service, _, purpose in asked_for()}
    granted = {
        (service, purpose)
        for service, purposes in GRANTS.items()
        for purpose in purposes
        if service != "audit"  # its ring is behind `People`, under the one purpose it has
    }
    assert granted - used == set()
