"""What is posted to a SIEM: batches of entries as lines, and the daily health check."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from libs.common.errors import NotFound
from libs.common.fields import milliseconds
from libs.trail.canonical import day_of
from services.audit import proving, stored
from services.audit.export_text import ExportText
from services.audit.signing import TRANSPORT

ENTRIES_MAX = 500
BYTES_MAX = 1_000_000
LOOK_AT = 64
HEALTH = "troth.siem.health"
LINES, JSON = "application/x-ndjson", "application/json"


@dataclass(frozen=True, slots=True)
class Post:
    """One request: its id is the same as long as it says the same."""

    id: str
    media: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """`beyond` is where the next one begins; `first` to `last` what is in this one, if anything."""

    beyond: int
    count: int = 0
    first: int = 0
    last: int = 0
    post: Post | None = None


async def next_batch(source: ExportText, row: Any) -> Batch:
    """From the position on; without what carries the trail away. Raises Missing or Differs."""
    end = min(row.size, row.position + ENTRIES_MAX)
    async with source.service.database.work() as db:
        rows = stored.of_work(db)
        entries = await stored.entries(rows, row.trail, row.position, end)
    kept = [entry for entry in entries if entry.class_ not in TRANSPORT]
    if not kept:
        return Batch(end)
    lines = await source.lines(row, kept)
    size = count = 0
    while count < len(lines) and (not count or size + len(lines[count]) <= BYTES_MAX):
        size, count = size + len(lines[count]), count + 1
    beyond = end if count == len(kept) else kept[count].seq
    first, last = kept[0].seq, kept[count - 1].seq
    post = Post(f"{row.id}_{first}_{last}", LINES, b"".join(lines[:count]))
    return Batch(beyond, count, first, last, post)


async def health(source: ExportText, row: Any, now: datetime) -> Post:
    """Posted once a day, also when nothing happened."""
    data = {
        "stream": row.id, "trail": stored.trail_name(row.trail) if row.trail else None,
        "position": row.position, "waiting": max(0, row.size - row.position),
        "lag_s": await lag_s(source, row, now), "delivered": row.since_check, "lost": row.lost,
        "checkpoint": await _head(source, row),
    }  # fmt: skip
    body = msgspec.json.encode({"type": HEALTH, "timestamp": milliseconds(now), "data": data})
    return Post(f"{row.id}_health_{day_of(now)}", JSON, body + b"\n")


async def _head(source: ExportText, row: Any) -> str | None:
    """The signed note of the trail's last checkpoint, so that it leaves the operator's hands."""
    if row.trail is None:
        return None
    async with source.service.database.work() as db:
        try:
            return (await proving.last_signed(db, row.trail)).note
        except NotFound:
            return None


async def lag_s(source: ExportText, row: Any, now: datetime) -> float:
    """How long ago the first entry that waits happened; 0 when none does."""
    end = min(row.size, row.position + LOOK_AT)
    if row.trail is None or row.position >= end:
        return 0.0
    async with source.service.database.work() as db:
        entries = await stored.entries(stored.of_work(db), row.trail, row.position, end)
    first = next((entry for entry in entries if entry.class_ not in TRANSPORT), None)
    if first is None:
        return 0.0
    opened = (await source.opened(row, [first])).get(first.seq)
    said = opened["time"] if opened is not None else None
    day = datetime.fromtimestamp(first.day * 86_400, UTC)
    happened = datetime.fromisoformat(said) if said is not None else day
    return round(max(0.0, (now - happened).total_seconds()), 3)
