"""What a batch of events becomes: leaves, roots of whole subtrees, sealed details. No I/O."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from uuid import UUID

from libs.common import ids
from libs.common.messages import Recorded
from libs.common.origins import Origin, day_of_origin, open_origin
from libs.common.privacy import FORGOTTEN, DataKey
from libs.trail.canonical import (
    CLASSES,
    DATA_BYTES_MAX,
    EXPIRED,
    NO_VALUES,
    SECRET_BYTES,
    body_of,
    commitments,
    day_of,
    leaf,
    time_of,
)
from libs.trail.tree import Frontier
from services.audit import detail
from services.audit.blind import NO_SLOT, PERSON, Blinder, slot_of
from services.audit.copying import DetailRow, LeafRow, TreeRow
from services.audit.daykeys import TRAILS_MAX, DayForgotten, DayKey, DayKeys
from services.audit.domain import class_of, kind_of, outcome_of, target_of
from services.audit.people import is_person

NOWHERE = Origin(None, None)
_CLASS = {name: bytes([number]) for number, name in enumerate(CLASSES)}


@dataclass
class Rows:
    """What is to be written."""

    details: list[DetailRow] = field(default_factory=list)
    leaves: list[LeafRow] = field(default_factory=list)
    tree: list[TreeRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ready:
    """An entry that lacks nothing but its number; `key` is None where there is no detail."""

    trail: UUID
    day: int
    class_: str
    body: bytes
    key: DayKey | None = None
    plain: bytes = b""
    indexes: tuple[int, int, int, int, int | None, int, int] = (0, 0, 0, 0, None, 0, 0)


class Growing:
    """What a batch adds to one trail, from the head on that is locked for it."""

    def __init__(self, trail: UUID, frontier: Frontier) -> None:
        self.trail, self.frontier = trail, frontier
        self._first, self._name = frontier.size, trail_name(trail)
        self._leaves: list[bytes] = []
        self._bodies: list[bytes] = []
        self._days: list[bytes] = []
        self._classes: list[bytes] = []

    def add(self, entry: Ready) -> int:
        """The number that the entry gets."""
        seq = self._first + len(self._leaves)
        self._leaves.append(leaf(self._name, seq, entry.day, entry.class_, entry.body))
        self._bodies.append(entry.body)
        self._days.append(entry.day.to_bytes(4, "big"))
        self._classes.append(_CLASS[entry.class_])
        return seq

    def finish(self, rows: Rows) -> None:
        for whole in self.frontier.extend(self._leaves):
            rows.tree.append(TreeRow(self.trail, whole.level, whole.at, whole.hash))
        rows.leaves.append(
            LeafRow(
                self.trail, self._first, len(self._leaves), b"".join(self._leaves),
                b"".join(self._bodies), b"".join(self._days), b"".join(self._classes),
            )
        )  # fmt: skip


def place(entries: Sequence[Ready], heads: Mapping[UUID, Growing]) -> Rows:
    """Gives the entries their numbers; all that is left to do while the heads are locked."""
    rows = Rows()
    random = BytesIO(os.urandom(detail.NONCE_BYTES * len(entries))).read
    for entry in entries:
        seq = heads[entry.trail].add(entry)
        if entry.key is not None:
            sealed = detail.seal(entry.plain, entry.key, entry.trail, seq, random)
            rows.details.append(DetailRow(entry.day, entry.trail, seq, sealed, *entry.indexes))
    for trail in heads.values():
        trail.finish(rows)
    return rows


class Batch:
    """Makes ready the events of one producer."""

    def __init__(
        self, keys: DayKeys, people: Mapping[str, DataKey | None], incarnation: int, today: int
    ) -> None:
        self._keys, self._people = keys, people
        self._incarnation, self._today = incarnation, today
        self._blinds: dict[tuple[Blinder, str, str], int] = {}

    def ready(self, events: Sequence[Recorded], trails: Mapping[str, UUID]) -> list[Ready]:
        """`trails` by organization."""
        # All at once: asking the kernel for each would cost more than the sealing.
        random = BytesIO(os.urandom(2 * SECRET_BYTES * len(events))).read
        return [self._ready(event, trails[event.organization], random) for event in events]

    def _ready(self, event: Recorded, trail: UUID, random: detail.Random) -> Ready:
        day = entry_day(event, self._today)
        try:
            key = self._keys.of(day)
        except DayForgotten:
            body = body_of(commitments(random(SECRET_BYTES), NO_VALUES))
            return Ready(trail, day, EXPIRED, body)
        person = self._people.get(event.actor) if is_person(event.actor) else None
        values = self._values(event, forgotten=person is None and is_person(event.actor))
        plain, committed = detail.enclose(values, kind_of(event.subject), person, random)
        blind = Blinder.of(key, trail)
        actor, address = values[detail.ACTOR] or "", values[detail.ADDRESS]
        indexes = (
            blind.once("id", values[0] or ""), blind.word("type", event.type),
            blind.word("actor", actor) if person is None else self._blind(blind, actor, person),
            self._blind(blind, values[detail.RESOURCE] or ""),
            self._blind(blind, address, column="address") if address is not None else None,
            blind.word("outcome", values[detail.OUTCOME] or ""),
            blind.word("slot", slot_of(event.time)) if day_of(event.time) == day else NO_SLOT,
        )  # fmt: skip
        return Ready(trail, day, class_of(event.type), body_of(committed), key, plain, indexes)

    def _values(self, event: Recorded, *, forgotten: bool) -> list[str | None]:
        """In the order of FIELDS."""
        data = bytes(event.data)
        origin = NOWHERE if forgotten else self._origin(event.origin)
        return [
            ids.public("evt", ids.uuid_of(event.id)), event.type, time_of(event.time),
            event.producer, f"{self._incarnation}:{event.sequence}",
            FORGOTTEN if forgotten else event.actor, target_of(event.type, event.subject, data),
            str(event.streamversion), outcome_of(event.type, data), origin.address, origin.agent,
            event.requestid or None, data.decode() if len(data) <= DATA_BYTES_MAX else None,
        ]  # fmt: skip

    def _origin(self, sealed: str | None) -> Origin:
        day = day_of_origin(sealed) if sealed is not None else None
        if sealed is None or day is None or day < self._keys.oldest or day > self._today + 1:
            return NOWHERE
        return open_origin(self._keys.of(day).origin, sealed) or NOWHERE

    def _blind(
        self, blinder: Blinder, value: str, person: DataKey | None = None, column: str = "resource"
    ) -> int:
        """What comes again in a batch is made once."""
        at = (blinder, column if person is None else PERSON, value)
        found = self._blinds.get(at)
        if found is None:
            made = blinder.person(value, person) if person else blinder.once(column, value)
            found = self._blinds[at] = made
        return found


def entry_day(event: Recorded, today: int) -> int:
    """The event's own day, but never later than the day on which it is entered."""
    return max(0, min(day_of(event.time), today))


@lru_cache(TRAILS_MAX)
def trail_name(trail: UUID) -> str:
    """The trail's public id, as it stands in every entry."""
    return ids.public("trail", trail)
