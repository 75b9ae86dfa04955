"""The inventory of data as it was made from this very code, and what differs from it. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path

from libs.common.catalogue import CatalogueFound
from libs.common.decider import Decider
from libs.common.messages import Event
from services.audit.contract import (
    CheckShown,
    Difference,
    InventoryChecked,
    InventoryDiffered,
    PlaceShown,
)

FILE = Path(__file__).with_name("inventory.json")  # made from the code by `make docs`


@dataclass(frozen=True)
class Inventory:
    """Every place with its leaves; `digest` is of the file's bytes."""

    digest: str
    places: tuple[PlaceShown, ...]


@cache
def inventory() -> Inventory:
    """Raises FileNotFoundError where the code was not built whole."""
    raw = FILE.read_bytes()
    places = tuple(PlaceShown.model_validate(place) for place in json.loads(raw)["places"])
    return Inventory(sha256(raw).hexdigest(), places)


def of_database(
    places: Iterable[PlaceShown], service: str, found: CatalogueFound
) -> list[Difference]:
    """Tables and columns of one service, and types of events that its log holds."""
    own = [place for place in places if place.service == service]
    known = {p.name: {column_of(leaf.path) for leaf in p.leaves} for p in own if p.kind == "table"}
    there = {table.name: set(table.columns) for table in found.tables}
    differences = _differing(service, "table", known.keys(), there.keys())
    for name in sorted(known.keys() & there.keys()):
        columns = [{f"{name}.{column}" for column in one[name]} for one in (known, there)]
        differences += _differing(service, "column", *columns)
    types = {place.name for place in own if place.kind == "event"}
    return differences + _differing(service, "event", types, set(found.types), missing=False)


def of_streams(
    places: Iterable[PlaceShown], found: Mapping[str, Iterable[str]]
) -> list[Difference]:
    """Streams of the bus with their subjects; one that nobody has made yet holds nothing."""
    known = {place.name: set(place.subjects) for place in places if place.kind == "stream"}
    differences = _differing("bus", "stream", known.keys(), found.keys(), missing=False)
    for name in sorted(known.keys() & found.keys()):
        subjects = [{f"{name} {s}" for s in of} for of in (known[name], found[name])]
        differences += _differing("bus", "subject", *subjects)
    return differences


def _decide(now: InventoryChecked, before: InventoryChecked | None) -> list[Event]:
    """What differs as it did at the last check is not told again; that it was checked always is."""
    known = before.differences if before else []
    differs = now.differences and now.differences != known
    return [InventoryDiffered(differences=now.differences), now] if differs else [now]


def _evolve(state: InventoryChecked | None, event: Event) -> InventoryChecked | None:
    return event if isinstance(event, InventoryChecked) else state


checks: Decider[InventoryChecked, InventoryChecked | None] = Decider(None, _decide, _evolve)


def shown(check: InventoryChecked | None, at: datetime | None) -> CheckShown:
    """`complete` when everybody answered, nothing differed, and it was this inventory."""
    digest = inventory().digest
    if check is None:
        return CheckShown(
            digest=digest, checked_at=None, complete=False, unanswered=[], differences=[]
        )
    whole = not check.unanswered and not check.differences and check.inventory == digest
    return CheckShown(
        digest=digest, checked_at=at, complete=whole,
        unanswered=check.unanswered, differences=check.differences,
    )  # fmt: skip


def column_of(path: str) -> str:
    """The column that a leaf stands in: `labels` of `labels{key}`."""
    for mark in "{[.":
        path = path.partition(mark)[0]
    return path


def _differing(
    service: str, kind: str, known: Iterable[str], there: Iterable[str], *, missing: bool = True
) -> list[Difference]:
    known, there = set(known), set(there)
    pairs = [("unknown", name) for name in sorted(there - known)]
    pairs += [("missing", name) for name in sorted(known - there) if missing]
    return [
        Difference.model_validate(
            {"service": service, "kind": kind, "name": name[:300], "how": how}
        )
        for how, name in pairs
    ]
