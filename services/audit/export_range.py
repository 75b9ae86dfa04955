"""Which entries an export has: from the first to the last of its time, and all between them.

Entries stand in the order in which they came, so a few of another time may lie between.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from libs.trail.canonical import day_of, time_of
from services.audit import stored
from services.audit.export_text import ExportText

BATCHES = """
select first, count, days from audit_leaf where trail = %s and first > %s order by first limit 500
"""
OPEN_AT_ONCE = 200


async def range_of(source: ExportText, row: Any) -> tuple[int, int]:
    """First number and count; a time without entries begins at the end of the trail."""
    low, high = day_of(row.from_at), day_of(row.to_at)
    inside: list[int] = []
    edge: list[int] = []
    end = 0
    async for seq, day in _days(source, row):
        end = seq + 1
        if low < day < high:
            inside = [*inside[:1], seq]
        elif day in (low, high):
            edge.append(seq)
    before = [seq for seq in edge if not inside or seq < inside[0]]
    behind = [seq for seq in edge if not inside or seq > inside[-1]]
    first = await _first_that_fits(source, row, before)
    last = await _first_that_fits(source, row, behind[::-1])
    known = [seq for seq in (first, last, *inside) if seq is not None]
    return (min(known), max(known) - min(known) + 1) if known else (end, 0)


async def _days(source: ExportText, row: Any) -> AsyncIterator[tuple[int, int]]:
    """Number and day of every entry of the trail."""
    after = -1
    while True:
        async with source.service.database.work() as db:
            found: Sequence[Any] = await stored.of_work(db)(BATCHES, (row.trail, after))
        for first, count, days in found:
            for n in range(count):
                at = n * stored.DAY_BYTES
                yield first + n, int.from_bytes(days[at : at + stored.DAY_BYTES], "big")
        if not found:
            return
        after = found[-1][0]


async def _first_that_fits(source: ExportText, row: Any, seqs: Sequence[int]) -> int | None:
    """The first of these whose time is asked for; one that is forgotten has no time, and fits."""
    for start in range(0, len(seqs), OPEN_AT_ONCE):
        some = seqs[start : start + OPEN_AT_ONCE]
        found = await _times(source, row, some)
        for seq in some:
            time = found.get(seq)
            if time is None or time_of(row.from_at) <= time < time_of(row.to_at):
                return seq
    return None


async def _times(source: ExportText, row: Any, seqs: Iterable[int]) -> dict[int, str]:
    wanted = sorted(seqs)
    async with source.service.database.work() as db:
        entries = await stored.entries(stored.of_work(db), row.trail, wanted[0], wanted[-1] + 1)
    mine = set(wanted)
    opened = await source.opened(row, [entry for entry in entries if entry.seq in mine])
    return {seq: one["time"] or "" for seq, one in opened.items()}
