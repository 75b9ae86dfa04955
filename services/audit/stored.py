"""Leaves and tree hashes as they are stored: what proofs, tiles, checkpoints and exports read.

Nothing here believes a row: numbers that are missing or too short are told as Missing.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.trail.canonical import CLASSES
from libs.trail.tree import HASH_BYTES, TILE_HEIGHT, TILE_WIDTH, Frontier, HashOf, range_hash, spans
from services.audit.batch import trail_name

Rows = Callable[[str, tuple[Any, ...]], Awaitable[Sequence[Any]]]
DAY_BYTES = 4
PARTS = 24
TILES_AT_ONCE = 64
# The batch that holds the first one, and all that begin behind it.
_BATCHES = """
select first, count, {columns} from audit_leaf where trail = %s and first < %s
  and first >= coalesce((select max(first) from audit_leaf where trail = %s and first <= %s), 0)
order by first
"""
_LEAVES = _BATCHES.format(columns="leaves")
_CLASSES = _BATCHES.format(columns="classes")
_DAYS = _BATCHES.format(columns="days, classes")
_ENTRIES = _BATCHES.format(columns="leaves, bodies, days, classes")
_NODES = """
select idx, hash from audit_tree where trail = %s and level = %s and idx >= %s and idx < %s
order by idx
"""


class Missing(Exception):
    """Leaves or hashes that a trail of this size has are not there."""


class Differs(Exception):
    """A stored hash is not the one that those below it give."""


class Entry(NamedTuple):
    """What is kept of an entry for ever."""

    seq: int
    day: int
    class_: str
    leaf: bytes
    body: bytes


def of_psycopg(connection: psycopg.AsyncConnection[Any]) -> Rows:
    async def rows(sql: str, values: tuple[Any, ...]) -> Sequence[Any]:
        return await (await connection.execute(sql.encode(), values)).fetchall()

    return rows


def of_work(connection: AsyncConnection) -> Rows:
    async def rows(sql: str, values: tuple[Any, ...]) -> Sequence[Any]:
        return (await connection.exec_driver_sql(sql, values)).all()

    return rows


async def entries(rows: Rows, trail: UUID, start: int, end: int) -> list[Entry]:
    """Those of [start, end), all of them."""
    found = []
    for at, count, leaves, bodies, days, codes in await _batches(_ENTRIES, rows, trail, start, end):
        for n, seq in _within(at, count, start, end):
            day = int.from_bytes(days[n * DAY_BYTES : (n + 1) * DAY_BYTES], "big")
            class_ = _class(trail, codes, n)
            found.append(Entry(seq, day, class_, _cut(leaves, n), _cut(bodies, n)))
    _whole([entry.seq for entry in found], trail, start, end)
    return found


async def classes(rows: Rows, trail: UUID, start: int, end: int) -> set[str]:
    """Which classes entries of [start, end) have."""
    batches = await _batches(_CLASSES, rows, trail, start, end)
    return {
        _class(trail, codes, n)
        for at, count, codes in batches
        for n, _ in _within(at, count, start, end)
    }  # fmt: skip


async def count(rows: Rows, trail: UUID, start: int, end: int, without: frozenset[str]) -> int:
    """How many entries of [start, end) are of none of these classes."""
    batches = await _batches(_CLASSES, rows, trail, start, end)
    return sum(
        _class(trail, codes, n) not in without
        for at, count, codes in batches
        for n, _ in _within(at, count, start, end)
    )  # fmt: skip


async def classes_of_day(
    rows: Rows, trail: UUID, start: int, end: int, day: int
) -> Counter[str]:  # fmt: skip
    """How many entries of [start, end) are of this day, by class."""
    found: Counter[str] = Counter()
    wanted = day.to_bytes(DAY_BYTES, "big")
    for at, count, days, codes in await _batches(_DAYS, rows, trail, start, end):
        for n, _ in _within(at, count, start, end):
            if days[n * DAY_BYTES : (n + 1) * DAY_BYTES] == wanted:
                found[_class(trail, codes, n)] += 1
    return found


async def hashes(rows: Rows, trail: UUID, level: int, start: int, end: int) -> list[bytes]:
    """Of a tile level: leaves at level 0, above it roots of 256^level leaves."""
    if level == 0:
        batches = await _batches(_LEAVES, rows, trail, start, end)
        pairs = [
            (seq, _cut(leaves, n))
            for at, count, leaves in batches
            for n, seq in _within(at, count, start, end)
        ]
    else:
        found = await rows(_NODES, (trail, level, start, end))
        pairs = [(idx, bytes(hash_)) for idx, hash_ in found]
    _whole([at for at, _ in pairs], trail, start, end)
    return [hash_ for _, hash_ in pairs]


async def hash_of(rows: Rows, trail: UUID, ranges: Iterable[tuple[int, int]]) -> HashOf:
    """The hashes that these ranges of leaves need, fetched tile by tile."""
    wanted: dict[tuple[int, int], tuple[int, int]] = {}
    for level, start, count in spans(ranges):
        for tile in range(start >> TILE_HEIGHT, (start + count - 1 >> TILE_HEIGHT) + 1):
            low, high = wanted.get((level, tile), (start + count, start))
            first, last = tile << TILE_HEIGHT, tile + 1 << TILE_HEIGHT
            wanted[level, tile] = (
                min(low, max(start, first)), max(high, min(start + count, last))
            )  # fmt: skip
    known: dict[tuple[int, int], bytes] = {}
    for (level, _), (start, end) in wanted.items():
        for at, hash_ in enumerate(await hashes(rows, trail, level, start, end), start):
            known[level, at] = hash_
    return lambda level, index: known[level, index]


async def root(rows: Rows, trail: UUID, size: int) -> bytes:
    return range_hash(0, size, await hash_of(rows, trail, [(0, size)]))


async def check_tree(rows: Rows, trail: UUID, old: int, new: int) -> None:
    """Makes the hashes above the leaves again, those that became whole between two sizes.

    Raises Missing or Differs.
    """
    level = 1
    while new >> TILE_HEIGHT * level:
        first, end = (size >> TILE_HEIGHT * level for size in (old, new))
        await _check_level(rows, trail, level, first, end)
        level += 1


async def check_part(rows: Rows, trail: UUID, size: int, part: int) -> None:
    """One of 24 parts of all that is whole, so that the hours of a day see every leaf."""
    level = 1
    while whole := size >> TILE_HEIGHT * level:
        first, end = (whole * n // PARTS for n in (part, part + 1))
        await _check_level(rows, trail, level, first, end)
        level += 1


async def _check_level(rows: Rows, trail: UUID, level: int, first: int, end: int) -> None:
    for start in range(first, end, TILES_AT_ONCE):
        stop = min(start + TILES_AT_ONCE, end)
        stored = await hashes(rows, trail, level, start, stop)
        below = await hashes(rows, trail, level - 1, start * TILE_WIDTH, stop * TILE_WIDTH)
        for at, hash_ in enumerate(stored):
            tile = Frontier()
            tile.extend(below[at * TILE_WIDTH : (at + 1) * TILE_WIDTH])
            if tile.root() != hash_:
                raise Differs(f"{trail_name(trail)} at level {level}, {start + at}")


async def _batches(sql: str, rows: Rows, trail: UUID, start: int, end: int) -> Sequence[Any]:
    return await rows(sql, (trail, end, trail, start)) if end > start else []


def _within(first: int, count: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Places in a batch, with their numbers in the trail."""
    for seq in range(max(first, start), min(first + count, end)):
        yield seq - first, seq


def _cut(joined: bytes, n: int) -> bytes:
    return bytes(joined[n * HASH_BYTES : (n + 1) * HASH_BYTES])


def _class(trail: UUID, codes: bytes, n: int) -> str:
    if n >= len(codes) or codes[n] >= len(CLASSES):
        raise Differs(f"a class of {trail_name(trail)} is none")
    return CLASSES[codes[n]]


def _whole(found: Sequence[int], trail: UUID, start: int, end: int) -> None:
    if list(found) != list(range(start, max(start, end))):
        raise Missing(
            f"{trail_name(trail)} has {len(found)} of {max(0, end - start)} hashes from {start} on"
        )
