"""docs/privacy-tables.md: the tables of a privacy notice, out of the inventory."""

from libs.common.fields import DataClass
from libs.common.inventory import Place
from libs.common.purposes import Purpose
from libs.common.retention import OF_EVERY_LOG, Retention
from tools import inventory
from tools.docs.markdown import page, table

INTRODUCTION = """
For the privacy notice of whoever runs an installation: which personal data is processed, what for,
on which legal basis, and for how long. Made from the inventory of data, so it says what the code
does; names of the controller, recipients and transfers are the operator's to add (they are in
`GET /v1/processing-record` once they are set, and are said to be absent until then).
"""
HEAD = ("personal data", "about", "legal basis", "stored", "kept")


def privacy_page() -> str:
    places = inventory.places()
    kept = {
        f"{service}.{rule.name}": rule for service, rules in inventory.rules().items()
        for rule in (*rules, *OF_EVERY_LOG)
    }  # fmt: skip
    parts = [INTRODUCTION]
    for purpose in Purpose:
        rows = personal(places, purpose)
        if rows:
            parts.append(f"## {purpose[0].upper()}{purpose[1:]}")
            parts.append(table(HEAD, [(*row[:4], _kept(row[4], kept)) for row in rows]))
    return page("Tables of the privacy notice", *parts)


def personal(places: list[Place], purpose: str) -> list[tuple[str, str, str, str, str]]:
    """What is personal among what is processed for a purpose, each kind once per rule."""
    found = {
        (m.category, m.subject, m.basis, _stored(m.data_class, m.sealed), str(m.retention))
        for place in places
        for m in (leaf.meaning for leaf in place.leaves)
        if m.purpose == purpose and m.data_class is not DataClass.NONE
    }
    return sorted(found)


def _stored(data_class: DataClass, sealed: bool) -> str:
    if sealed:
        return "sealed"
    return "as a hash" if data_class is DataClass.SECRET else "as an id, number or name"


def _kept(rule: str, kept: dict[str, Retention]) -> str:
    found = kept.get(rule)
    if found is None:
        return rule
    days = "no fixed time" if found.keep_days is None else f"{found.keep_days} days"
    return f"{days}: {found.what}"
