"""Over two hundred corruptions of an export: a name, the place that has to be named, the change."""

import base64
import random
from collections.abc import Callable, Iterator
from typing import Any

from libs.trail import canonical
from libs.trail.canonical import FIELDS
from libs.trail.notes import Signer, b64
from tests_support.trails import TRAIL, Trail, copied, written

SIZE, FIRST, COUNT = 61, 21, 12
FORGOTTEN = {23, 24}
Objects = list[dict[str, Any]]
Change = Callable[[Objects], bytes | None]


def sound() -> Objects:
    return copied(TRAIL_OF_TESTS.export(FIRST, COUNT, forgotten=FORGOTTEN))


def _trail() -> Trail:
    """Every exported entry has a time, so every field of it says something."""
    trail = Trail(random.Random(11)).grow(FIRST)
    while len(trail.leaves) < SIZE:
        trail.grow(1)
        if trail.entries[-1].class_ == canonical.EXPIRED:
            trail.entries.pop()
            trail.leaves.pop()
    return trail


TRAIL_OF_TESTS = _trail()
FOOTER_LINE = COUNT + 2


def line_of(seq: int) -> int:
    return seq - FIRST + 2


def flipped(text: str, at: int = 3) -> str:
    data = bytearray(base64.b64decode(text))
    data[at] ^= 1
    return b64(bytes(data))


def entry_place(seq: int) -> str:
    return f"line {line_of(seq)}, entry {seq}, "


def of_values() -> Iterator[tuple[str, str, Change]]:
    """Each field of three entries: its value, its salt, its commitment."""
    for seq in (21, 25, 32):
        for name in FIELDS:
            for part in ("value", "salt", "commitment"):
                if name == "number" and part != "commitment":
                    continue

                def change(objects: Objects, seq=seq, name=name, part=part) -> None:
                    field = objects[line_of(seq) - 1]["fields"][name]
                    if part == "value":
                        field[part] = "another" if field[part] is None else None
                    else:
                        field[part] = flipped(field[part])

                named = "leaf" if name == "number" else name
                yield f"{part}-of-{name}-{seq}", f"{entry_place(seq)}field {named}:", change


def of_entries() -> Iterator[tuple[str, str, Change]]:
    """What an entry says beside its fields, of kept ones and forgotten ones."""
    for seq in (21, 24, 32):
        for name, other in (("day", 20_700), ("class", "other-class"), ("leaf", None)):

            def change(objects: Objects, seq=seq, name=name, other=other) -> None:
                line = objects[line_of(seq) - 1]
                line[name] = flipped(line[name]) if other is None else other

            yield f"{name}-of-{seq}", f"{entry_place(seq)}field leaf:", change

        def renumbered(objects: Objects, seq=seq) -> None:
            objects[line_of(seq) - 1]["seq"] = 77

        yield f"seq-of-{seq}", f"line {line_of(seq)}, entry 77, field leaf:", renumbered
        for other in (-1, True, 1.0, "21", None, 1 << 40, 1 << 64):

            def no_number(objects: Objects, seq=seq, other=other) -> None:
                objects[line_of(seq) - 1]["day"] = other

            yield f"day-{other}-of-{seq}", f"{entry_place(seq)}field day:", no_number

    def body(objects: Objects) -> None:
        objects[line_of(24) - 1]["body"] = flipped(objects[line_of(24) - 1]["body"])

    yield "body-of-24", f"{entry_place(24)}field leaf:", body


def of_lines() -> Iterator[tuple[str, str, Change]]:
    """Lines that are missing, doubled, exchanged or more."""
    for seq in range(FIRST, FIRST + COUNT - 1):

        def missing(objects: Objects, seq=seq) -> None:
            del objects[line_of(seq) - 1]

        place = f"line {line_of(seq)}, entry {seq + 1}, field seq: behind line {line_of(seq) - 1}"
        yield f"line-{seq}-missing", f"{place} belongs {seq}", missing

        def doubled(objects: Objects, seq=seq) -> None:
            objects.insert(line_of(seq), objects[line_of(seq) - 1])

        yield f"line-{seq}-twice", f"line {line_of(seq) + 1}, entry {seq}, field seq:", doubled

        def exchanged(objects: Objects, seq=seq) -> None:
            at = line_of(seq)
            objects[at - 1], objects[at] = objects[at], objects[at - 1]

        yield f"line-{seq}-late", f"line {line_of(seq)}, entry {seq + 1}, field seq:", exchanged

    def last(objects: Objects) -> None:
        del objects[-2]

    yield "last-line-missing", "line 1, field count: the entries end before 32", last

    def behind(objects: Objects) -> None:
        objects.append(objects[-1])

    yield "line-behind-the-end", f"line {FOOTER_LINE}: the export does not end", behind

    def without(at: int) -> Change:
        return lambda objects: written(objects[:at] + objects[at + 1 :])

    yield "no-footer", f"line {FOOTER_LINE - 1}: the export does not end", without(FOOTER_LINE - 1)
    yield "no-header", "line 1: has not exactly", without(0)


def of_the_header() -> Iterator[tuple[str, str, Change]]:
    places = {
        ("first", 20): "line 2, entry 21, field seq: behind line 1 belongs 20",
        ("first", 22): "line 2, entry 21, field seq: behind line 1 belongs 22",
        ("first", -1): "line 1, field first:",
        ("count", COUNT + 1): "line 1, field count:",
        ("count", COUNT - 1): "line 1, field count:",
        ("count", "12"): "line 1, field count:",
        ("format", "troth-audit-export/2"): "line 1, field format:",
        ("trail", TRAIL[:-1] + "0"): f"line {FOOTER_LINE}, field checkpoint: is of {TRAIL}, line 1",
        ("trail", 7): "line 1, field trail:",
        ("verifier_key", str(Signer.of_seed("troth/audit", bytes(32)).verifier)):
            "line 1, field verifier_key:",
        ("more", 1): "line 1: has not exactly these names",
    }  # fmt: skip
    for (name, value), place in places.items():

        def change(objects: Objects, name=name, value=value) -> None:
            objects[0][name] = value

        yield f"header-{name}-{value}", place, change


def of_the_footer() -> Iterator[tuple[str, str, Change]]:
    footer = f"line {FOOTER_LINE}"
    for side in ("left", "right"):
        for at in range(len(sound()[-1][side])):

            def other(objects: Objects, side=side, at=at) -> None:
                objects[-1][side][at] = flipped(objects[-1][side][at])

            yield f"{side}-{at}-changed", f"{footer}: left, leaves, right", other

            def gone(objects: Objects, side=side, at=at) -> None:
                del objects[-1][side][at]

            yield f"{side}-{at}-missing", f"{footer}, field {side}: takes", gone

        def more(objects: Objects, side=side) -> None:
            objects[-1][side].append(b64(bytes(32)))

        yield f"{side}-one-more", f"{footer}, field {side}: takes", more

        def short(objects: Objects, side=side) -> None:
            objects[-1][side][0] = b64(bytes(31))

        yield f"{side}-short", f"{footer}, field {side}:", short
    for at in range(0, len(sound()[-1]["checkpoint"]), 4):

        def letter(objects: Objects, at=at) -> None:
            note = objects[-1]["checkpoint"]
            objects[-1]["checkpoint"] = note[:at] + chr(ord(note[at]) ^ 1) + note[at + 1 :]

        yield f"checkpoint-letter-{at}", f"{footer}, field checkpoint:", letter


def of_liars() -> Iterator[tuple[str, str, Change]]:
    """Changes that fit in themselves: only the root, the signature or the day give them away."""
    footer = f"line {FOOTER_LINE}"

    def rewritten(objects: Objects) -> None:
        line, entry = objects[3 - 1], TRAIL_OF_TESTS.entries[22]
        values = ("evt_other", *entry.values[1:])
        commitments = canonical.commitments(entry.secret, values)
        line["fields"]["id"] |= {"value": values[0], "commitment": b64(commitments[0])}
        body = canonical.body_of(commitments)
        line["leaf"] = b64(canonical.leaf(TRAIL, 22, entry.day, entry.class_, body))

    yield "an-entry-rewritten-whole", f"{footer}: left, leaves, right: another root", rewritten

    def signed_by(signer: Signer, origin: str, root: bytes) -> Change:
        def change(objects: Objects) -> None:
            text = f"{origin}/{TRAIL}\n{SIZE}\n{b64(root)}\n"
            objects[-1]["checkpoint"] = signer.sign(text)

        return change

    ours, root = TRAIL_OF_TESTS.signer, TRAIL_OF_TESTS.root()
    place = f"{footer}, field checkpoint:"
    yield "another-root-signed", f"{footer}: left, leaves", signed_by(ours, "troth", bytes(32))
    yield "another-origin-signed", place, signed_by(ours, "else", root)
    thief = Signer.of_seed("troth/audit", bytes(32))
    yield (
        "another-key",
        f"{place} troth/audit has not signed it with this key",
        signed_by(thief, "troth", root),
    )
    other = Signer.of_seed("else/audit", bytes(range(32)))
    yield "another-name", f"{place} troth/audit has not signed it", signed_by(other, "troth", root)

    def of_a_smaller_tree(objects: Objects) -> None:
        """Whose root the first entries alone would give."""
        objects[:] = copied(TRAIL_OF_TESTS.export(0, 40))
        objects[-1] = copied(TRAIL_OF_TESTS.export(0, 32, size=32))[-1]

    yield (
        "entries-behind-the-tree",
        "line 1, field count: the entries end before 40, the tree before",
        of_a_smaller_tree,
    )

    def late(objects: Objects) -> None:
        line, entry = objects[3 - 1], TRAIL_OF_TESTS.entries[22]
        leaf = canonical.leaf(TRAIL, 22, 21_000, entry.class_, entry.body)
        line |= {"day": 21_000, "leaf": b64(leaf)}

    yield "a-day-after-its-time", "line 3, entry 22, field day: 21000 is 2027-07-01", late


def of_bytes() -> Iterator[tuple[str, str, Change]]:
    """A text that is no JSON, no UTF-8, or says a name twice."""

    def by(old: bytes, new: bytes) -> Change:
        return lambda objects: written(objects).replace(old, new, 1)

    third = b'{"seq":22,'
    yield "no-utf-8", "line 3: is no JSON in UTF-8", by(third, b'{"seq":22,"\xff":1,')
    yield "a-name-twice", "line 3: a name stands twice", by(third, b'{"seq":21,"seq":22,')
    yield "surrogate", "line 3: is no JSON in UTF-8", by(third, b'{"seq":22,"\\ud800":1,')
    yield "a-list", "line 3: is no JSON object", by(b'\n{"seq":22,', b'\n[]\n{"seq":22,')
    yield "an-empty-line", "line 3: is no JSON", by(b'\n{"seq":22,', b'\n\n{"seq":22,')
    yield (
        "nan",
        "line 3, entry 22, field day:",
        by(b'{"seq":22,"day":20779', b'{"seq":22,"day":NaN'),
    )
    yield "nested", "line 3: is no JSON", by(third, b"[" * 100_000)
    yield "a-long-line", "line 3: is cut off", by(third, b" " * (1 << 20) + third)
    for end in range(5, 100, 8):

        def cut(objects: Objects, end=end) -> bytes:
            whole = written(objects)
            return whole[: len(whole) * end // 100]

        lines = cut(sound()).count(b"\n") + 1
        yield f"cut-at-{end}-per-cent", f"line {lines}: the export does not end", cut
    yield "cut-by-a-byte", f"line {FOOTER_LINE}: the export does not end", lambda o: written(o)[:-1]


CASES = [
    *of_values(), *of_entries(), *of_lines(), *of_the_header(), *of_the_footer(), *of_liars(),
    *of_bytes(),
]  # fmt: skip
