"""The inventory of data, and whether the live system agrees: what is asked, answered, recorded.

Part of `services.audit.contract`, where others find it.
"""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.catalogue import PlaceName
from libs.common.fields import Count, Flag, Moment, Word, plain
from libs.common.messages import Command, Event, Message, Query

PlaceKind = Literal["table", "event", "stream", "file"]
Checksum = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$"), plain("SHA-256 of a public text")]
Said = Annotated[str, Field(max_length=300), plain("words of the inventory")]


class Difference(Message):
    """`unknown` is there and in no inventory; `missing` is in the inventory and not there."""

    service: Word
    kind: Literal["table", "column", "event", "stream", "subject"]
    name: PlaceName
    how: Literal["unknown", "missing"]


class Mark(Message):
    """How far the events of a service have been looked at."""

    service: Word
    incarnation: Count
    n: Count


class InventoryDiffered(Event, type="audit.event.inventory-differed"):
    """The live system is not what the inventory says; names only."""

    differences: list[Difference]


class InventoryChecked(Event, type="audit.event.inventory-checked"):
    """The live system was held against the inventory; `unanswered` services were not seen."""

    inventory: Checksum
    differences: list[Difference]
    unanswered: list[Word]
    marks: list[Mark]


class LeafShown(Message):
    """One value of a record: what it is, about whom, what for, on which basis, how long."""

    path: PlaceName
    data_class: Word
    category: Said
    subject: Said
    purpose: Said
    basis: Said
    retention: Said
    sealed: Flag


class PlaceShown(Message):
    """A table, type of event, stream or file; `keep_days` null: as long as what it is about.

    `what` is what the rule keeps, in words. `keys` are the purposes of the keys under which its
    sealed values are, `opened_by` the services that open them.
    """

    service: Word
    kind: PlaceKind
    name: PlaceName
    rule: Said
    what: Said
    keep_days: Count | None
    subjects: list[PlaceName]
    keys: list[Word]
    opened_by: list[Word]
    leaves: list[LeafShown]


class CheckShown(Message):
    """`complete`: every service answered and nothing differs from the inventory.

    `checked_at` is null while nobody has looked; then `complete` is false.
    """

    digest: Checksum
    checked_at: Moment | None
    complete: Flag
    unanswered: list[Word]
    differences: list[Difference]


class InventoryShown(CheckShown):
    """What is kept where, what for and how long, and whether the live system agrees."""

    places: list[PlaceShown]


class FindInventory(
    Query, type="audit.query.find-inventory", permission="audit:read", answers=InventoryShown
):
    """All of it, or of some services and kinds of places."""

    service: Annotated[list[Word] | None, Field(max_length=20)] = None
    kind: Annotated[list[PlaceKind] | None, Field(max_length=4)] = None


class CheckInventory(
    Command, type="audit.command.check-inventory", permission="instance", answers=CheckShown
):
    """Hold the live system against the inventory now, not only at night."""
