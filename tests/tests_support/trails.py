"""Trails for tests of the verifier: entries of many shapes, signed, exported and proved."""

import json
import random
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from libs.common import ids
from libs.trail import canonical, exporting, paths, tree
from libs.trail.canonical import EXPIRED, FIELDS
from libs.trail.notes import Checkpoint, Signer, b64, origin_of, signer_name
from libs.trail.proofs import Proof
from tests_support import trail_reference as reference

SIGNER = Signer.of_seed(signer_name("troth"), bytes(range(32)))
KEY = str(SIGNER.verifier)
TRAIL = "trail_0123456789abcdefghjkmnpqrs"
DAY = 20_779  # 2026-11-22
RECEIVED = "2027-02-21T00:01:02.003Z"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WORDS = ("plain", "naïve", "漢字", "😀", "a\nb", "\u0000", '"quoted"', "", "\u202eright", "e\u0301")


@dataclass(frozen=True)
class Entry:
    """One entry as it was entered."""

    seq: int
    day: int
    class_: str
    secret: bytes
    values: tuple[str | None, ...]

    @property
    def body(self) -> bytes:
        return canonical.body(self.secret, self.values)

    def leaf(self, trail: str) -> bytes:
        return canonical.leaf(trail, self.seq, self.day, self.class_, self.body)


@dataclass
class Trail:
    """A trail that grows, and what its installation gives out of it."""

    rng: random.Random
    id: str = TRAIL
    signer: Signer = SIGNER
    entries: list[Entry] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)

    def grow(self, count: int) -> "Trail":
        for seq in range(len(self.entries), len(self.entries) + count):
            entry = self._entry(seq)
            self.entries.append(entry)
            self.leaves.append(entry.leaf(self.id))
        return self

    def _entry(self, seq: int) -> Entry:
        rng, day = self.rng, DAY + seq // 50
        class_ = rng.choice(canonical.CLASSES)
        values: tuple[str | None, ...] = canonical.NO_VALUES
        if class_ != EXPIRED:
            later = rng.choice((0, 0, 0, 1))  # a clock ahead: never entered later than its time
            moment = EPOCH + timedelta(day + later, seconds=rng.randrange(86_400), milliseconds=seq)
            time = canonical.time_of(moment)
            values = tuple(time if name == "time" else self._text() for name in FIELDS)
        return Entry(seq, day, class_, rng.randbytes(32), values)

    def forget_day(self, day: str, entries: int | None = 7, size: int | None = None) -> str:
        """Enters that a day was forgotten when there were so many entries; the receipt of it."""
        size = len(self.leaves) if size is None else size
        receipt, root = ids.derived("rcp", self.id, "day", day), b64(self.root(size))
        counts = [{"entry_class": "execution", "entries": entries, "how": "anonymized"}]
        self._enter("audit.event.day-forgotten", {
            "trail": self.id, "day": day, "entries": entries, "counts": counts, "size": size,
            "root": root if size else None, "receipt": receipt,
        })  # fmt: skip
        before = f"{size} {root}" if size else "-"
        return self._receipt(receipt, f"day {day}", before, entries)

    def end_hold(self, hold: str, how: str = "lifted") -> str:
        """Enters that a legal hold was ended; the receipt of it."""
        receipt = ids.derived("rcp", self.id, "hold", hold)
        self._enter("audit.event.hold-lifted", {
            "hold_id": hold, "how": how, "entries": 3, "ended_at": RECEIVED, "receipt": receipt,
        })  # fmt: skip
        return self._receipt(receipt, f"hold {hold}", how, 3)

    def _enter(self, type_: str, data: dict[str, Any]) -> None:
        seq = len(self.entries)
        day = DAY + seq // 50
        time = canonical.time_of(EPOCH + timedelta(day, seconds=seq))
        shown = {"type": type_, "time": time, "data": json.dumps(data)}
        values = tuple(shown.get(name, "x") for name in FIELDS)
        self.entries.append(Entry(seq, day, "privacy", self.rng.randbytes(32), values))
        self.leaves.append(self.entries[-1].leaf(self.id))

    def _receipt(self, id_: str, what: str, before: str, entries: int | None) -> str:
        count = "-" if entries is None else entries
        lines = ("troth/receipts", id_, self.id, what, RECEIVED, before, count)
        return self.signer.sign("".join(f"{line}\n" for line in lines))

    def _text(self) -> str | None:
        return None if self.rng.random() < 0.2 else self.rng.choice(WORDS) * self.rng.randint(1, 3)

    def hash_of(self, level: int, at: int) -> bytes:
        return reference.mth(self.leaves[at << 8 * level : (at + 1) << 8 * level])

    def root(self, size: int | None = None) -> bytes:
        frontier = tree.Frontier()
        frontier.extend(self.leaves[:size])
        return frontier.root()

    def checkpoint(self, size: int | None = None, root: bytes | None = None) -> str:
        size = len(self.leaves) if size is None else size
        origin = origin_of("troth", self.id)
        return self.signer.sign(Checkpoint(origin, size, root or self.root(size)).text())

    def shown(self, seq: int, closed: Collection[str], forgotten: bool = False) -> dict[str, Any]:
        entry, leaf = self.entries[seq], self.leaves[seq]
        if forgotten:
            return exporting.forgotten(seq, entry.day, entry.class_, leaf, entry.body)
        fields = exporting.shown(
            entry.values,
            canonical.commitments(entry.secret, entry.values),
            dict(zip(FIELDS, canonical.salts(entry.secret), strict=True)),
            closed,
        )
        return exporting.entry(seq, entry.day, entry.class_, leaf, fields)

    def export(
        self,
        first: int,
        count: int,
        size: int | None = None,
        closed: Collection[str] = exporting.CLOSED,
        forgotten: Collection[int] = (),
    ) -> list[dict[str, Any]]:
        """The objects of an export's lines."""
        size = len(self.leaves) if size is None else size
        return [
            exporting.header(self.id, first, count, str(self.signer.verifier)),
            *(self.shown(seq, closed, seq in forgotten) for seq in range(first, first + count)),
            exporting.footer(
                self.checkpoint(size),
                paths.covering(0, first, self.hash_of),
                paths.covering(first + count, size, self.hash_of),
            ),
        ]

    def proof(self, seq: int, size: int | None = None, closed: Collection[str] = ()) -> str:
        size = len(self.leaves) if size is None else size
        way = paths.inclusion(seq, size, self.hash_of)
        return str(Proof(seq, way, self.checkpoint(size), self.shown(seq, closed)))


def written(objects: list[dict[str, Any]]) -> bytes:
    return b"".join(map(exporting.line, objects))


def copied(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return json.loads(json.dumps(objects))
