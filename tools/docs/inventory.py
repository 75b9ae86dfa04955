"""docs/inventory.md and services/audit/inventory.json: what is kept where, about whom, what for."""

import json
from collections.abc import Iterable
from typing import Any

from libs.common.inventory import Leaf, Place
from tools import inventory
from tools.docs.markdown import code, page, table

INTRODUCTION = """
Every value that is kept: the columns of all tables, the leaves of all events, what the bus holds,
and the files of keys. What a value is follows from its field type (`libs/common/fields.py`); what
it is for, on which basis, and for how long follows from its record's rule of retention
([retention.md](retention.md)) where the type says nothing of its own. *Sealed*: only ciphertext is
stored.

The same inventory is answered by `GET /v1/inventory`. Each night, and when the operator asks by
`troth inventory --check`, audit holds it against the catalogues of all databases, the streams of
the bus and the types in the logs. There is no store of blobs: an object store in JetStream is a
stream, and one that nobody knows is a difference.
"""
LEAF = ("value", "class", "category", "about", "what for", "basis", "kept by rule")
KINDS = {"table": "table", "event": "event", "stream": "stream", "file": "file"}


def inventory_page() -> str:
    places = inventory.places()
    parts = [INTRODUCTION, _overview(places)]
    for service in dict.fromkeys(place.service for place in places):
        parts.append(f"## {service}")
        parts += [_place(place) for place in places if place.service == service]
    return page("Data inventory", *parts)


def _overview(places: list[Place]) -> str:
    rows = []
    for service in dict.fromkeys(place.service for place in places):
        own = [place for place in places if place.service == service]
        counts = [str(sum(place.kind == kind for place in own)) for kind in KINDS]
        rows.append((service, *counts, str(sum(len(place.leaves) for place in own))))
    return table(("service", "tables", "events", "streams", "files", "values"), rows)


def _place(place: Place) -> str:
    kept = "as long as what it is about" if place.keep_days is None else f"{place.keep_days} days"
    title = f"### {KINDS[place.kind].capitalize()} `{place.name}`"
    said = f"Rule `{place.rule}`, {kept}: {place.what}."
    if place.subjects:
        said += f" Subjects: {', '.join(code(subject) for subject in place.subjects)}."
    if place.keys:
        said += f" Keys: {', '.join(place.keys)}; opened by {', '.join(place.opened_by)}."
    rows = [
        (code(leaf.path), m.data_class + (", **sealed**" if m.sealed else ""), m.category,
         m.subject, m.purpose, m.basis, m.retention)
        for leaf in place.leaves
        for m in (leaf.meaning,)
    ]  # fmt: skip
    shown = table(LEAF, rows) if rows else "No data of its own: the envelope says it all."
    return "\n\n".join((title, said, shown))


def inventory_file() -> str:
    """As data, one leaf to a line; audit answers it and compares the live system with it."""
    places = ",\n".join(_as_data(place) for place in inventory.places())
    return f'{{"version": 1, "places": [\n{places}\n]}}\n'


def _as_data(place: Place) -> str:
    head = {
        "service": place.service, "kind": place.kind, "name": place.name, "rule": place.rule,
        "what": place.what,
        "keep_days": place.keep_days, "subjects": list(place.subjects),
        "keys": list(place.keys), "opened_by": list(place.opened_by),
    }  # fmt: skip
    leaves = _lines(json.dumps(_leaf(leaf)) for leaf in place.leaves)
    return f'{json.dumps(head)[:-1]}, "leaves": [{leaves}]}}'


def _lines(texts: Iterable[str]) -> str:
    return "".join(f"\n{',' if i else ' '}{text}" for i, text in enumerate(texts))


def _leaf(leaf: Leaf) -> dict[str, Any]:
    m = leaf.meaning
    return {
        "path": leaf.path, "data_class": m.data_class, "category": m.category,
        "subject": m.subject, "purpose": m.purpose, "basis": m.basis, "retention": m.retention,
        "sealed": m.sealed,
    }  # fmt: skip
