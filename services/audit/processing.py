"""Makes the record of processing activities out of the inventory and the operator's words. Pure."""

import json
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any

from libs.common.fields import DataClass
from libs.common.purposes import Purpose, Subject
from services.audit.contract import LeafShown, PlaceShown, RecordShown
from services.audit.inventory import Inventory
from services.audit.operator import OperatorSettings, Recipient

FORMAT = "troth.processing-record.v1"
EEA = frozenset({
    *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE"),
    *("IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK"),
})  # fmt: skip
ON_BEHALF = frozenset({Purpose.WORKFLOWS, Purpose.MESSAGES})
CONTROLLERS = "the organizations of this installation; each sees its own by GET /v1/organizations"
# Article 30(1)(g), 30(2)(d): what the code does, each of it held by tests.
SECURITY = (
    "Direct identifiers, free text and secrets are stored and sent as ciphertext only"
    " (AES-256-GCM under keys of the organization or person, derived per stream).",
    "Data keys are kept apart from databases, logs and backups; destroying one forgets what it"
    " sealed, everywhere.",
    "Passwords are bcrypt hashes under a pepper; tokens are stored as digests.",
    "Row security in every database keeps organizations apart; callers' queries run as a role that"
    " sees one organization.",
    "Permissions are checked at the door and again by the service that is asked; each service may"
    " say and hear only what is its own on the bus.",
    "Outgoing requests reach public addresses only, decided on the address connected to.",
    "Every event enters an append-only trail whose completeness is checked.",
)
_OF_OPERATOR = ("name", "contact", "representative", "protection_officer")


def record(inventory: Inventory, operator: OperatorSettings, release: str) -> RecordShown:
    """The same for the same inventory, settings and release, byte for byte."""
    controller = {name: getattr(operator, f"operator_{name}") for name in _OF_OPERATOR}
    known = operator.operator_recipients
    made: dict[str, Any] = {
        "format": FORMAT,
        "release": release,
        "inventory": inventory.digest,
        "controller": controller,
        "recipients": _shown(known),
        "transfers": _shown(known, outside=True),
        "activities": list(_activities(inventory.places)),
        "on_behalf": {"controllers": CONTROLLERS, "categories": _categories(inventory.places)},
        "security": list(SECURITY),
        "absent": _absent(controller, known),
    }
    return RecordShown.model_validate(made | {"digest": digest_of(made)})


def digest_of(made: dict[str, Any]) -> str:
    """SHA-256 over the record without its digest: keys sorted, no spaces, UTF-8."""
    rest = {name: value for name, value in made.items() if name != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def _absent(controller: dict[str, Any], recipients: list[Recipient] | None) -> list[str]:
    absent = [f"/controller/{name}" for name, value in controller.items() if value is None]
    if recipients is None:
        return [*absent, "/recipients", "/transfers"]
    return absent + [
        f"/recipients/{number}/safeguard"
        for number, one in enumerate(recipients)
        if one.country not in EEA and one.safeguard is None
    ]


def _shown(known: list[Recipient] | None, *, outside: bool = False) -> list[dict[str, Any]] | None:
    if known is None:
        return None
    return [one.model_dump() for one in known if not outside or one.country not in EEA]


def _limit(place: PlaceShown) -> dict[str, Any]:
    days = place.keep_days
    said = f"{days} days" if days is not None else "as long as what it is about"
    return {"keep_days": days, "limit": f"{said}: {place.what}"}


def _activities(places: Sequence[PlaceShown]) -> Iterator[dict[str, Any]]:
    """One for each purpose for which personal data is processed."""
    found = list(_personal(places))
    for purpose in Purpose:
        own = [(place, leaf) for place, leaf in found if leaf.purpose == purpose]
        if not own:
            continue
        kept = {place.rule: place for place in places}
        data = {_data(leaf) for _, leaf in own}
        yield {
            "purpose": purpose.value,
            "role": "processor" if purpose in ON_BEHALF else "controller",
            "bases": sorted({leaf.basis for _, leaf in own}),
            "subjects": sorted({leaf.subject for _, leaf in own}),
            "services": sorted({place.service for place, _ in own}),
            "data": [
                {"category": category, "data_class": data_class, "subject": subject,
                 "basis": basis, "sealed": sealed, "rule": rule, **_limit(kept[rule])}
                for category, data_class, subject, basis, sealed, rule in sorted(data)
            ],
        }  # fmt: skip


def _personal(places: Iterable[PlaceShown]) -> Iterator[tuple[PlaceShown, LeafShown]]:
    for place in places:
        for leaf in place.leaves:
            if leaf.data_class != DataClass.NONE and leaf.subject != Subject.NOBODY:
                yield place, leaf


def _data(leaf: LeafShown) -> tuple[str, str, str, str, bool, str]:
    return (
        leaf.category, leaf.data_class, leaf.subject, leaf.basis, leaf.sealed, leaf.retention
    )  # fmt: skip


def _categories(places: Iterable[PlaceShown]) -> list[str]:
    return sorted({leaf.category for _, leaf in _personal(places) if leaf.purpose in ON_BEHALF})
