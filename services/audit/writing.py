"""The one writer of the trail: enters a batch of a producer's events, in its reader's transaction.

One round trip for each table and batch. Locks are taken in one order: the reader of the producer,
the partition of a new day, then the heads in the order of their trails.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, cast
from uuid import UUID, uuid4

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import Unavailable
from libs.common.messages import Recorded
from libs.common.privacy import DataKey
from libs.trail.tree import Frontier, split
from services.audit import copying
from services.audit.batch import Batch, Growing, Rows, entry_day, place
from services.audit.daykeys import DayKeys
from services.audit.known import known_before
from services.audit.people import People, is_person
from services.audit.tables import READER

IN_A_THREAD = 50
KEYS_WITHIN_S = 3.0
Raw = psycopg.AsyncConnection[Any]

BEGIN = b"""
with r as (select incarnation, floor(extract(epoch from wall_clock()) / 86400)::bigint as today
  from readers where name = %(reader)s for update)
select r.incarnation, r.today,
  (select array_agg(array[t.first, t.last]) from taken t where t.producer = %(producer)s
    and t.incarnation = r.incarnation and t.last >= %(first)s and t.first <= %(last)s),
  (select max(t.last) from taken t
    where t.producer = %(producer)s and t.incarnation <> r.incarnation)
from r
"""
MISSING_DAYS = b"""
select make_detail_day(d) from unnest(%s::bigint[]) d
where to_regclass('audit_detail_' || d) is null
"""
NEW_TRAILS = b"""
with made as (insert into trails (org, trail) select * from unnest(%s::text[], %s::uuid[])
  on conflict (org) do nothing returning trail)
insert into trail_heads (trail, size, frontier) select trail, 0, '' from made
"""
TRAILS = b"select org, trail from trails where org = any(%s)"
HEADS = b"""
select h.trail, h.size, h.frontier from trails t join trail_heads h using (trail)
where h.trail = any(%s::uuid[]) order by h.trail for update of h
"""
MOVE = b"""
with moved as (update trail_heads h set size = n.size, frontier = n.frontier
  from unnest(%s::uuid[], %s::bigint[], %s::bytea[]) as n(trail, size, frontier)
  where h.trail = n.trail),
types as (insert into event_types select unnest(%s::text[]) on conflict do nothing)
insert into taken (producer, incarnation, first, last, entered)
select %s, %s, f, l, e from unnest(%s::bigint[], %s::bigint[], %s::bigint[]) as x(f, l, e)
"""


class Writer:
    """Enters events; what stands in the trail already is left as it is."""

    def __init__(self, keys: DayKeys, people: People) -> None:
        self.keys, self.people = keys, people
        self._trails: dict[str, UUID] = {}

    async def enter(
        self, connection: AsyncConnection, producer: str, events: Sequence[Recorded]
    ) -> None:
        """In order of number. The incarnation is the one that the producer's reader has here."""
        if not events:
            return
        raw = cast(Raw, (await connection.get_raw_connection()).driver_connection)
        cursor = await raw.execute(BEGIN, {
            "reader": f"{READER}{producer}", "producer": producer,
            "first": events[0].sequence, "last": events[-1].sequence,
        })  # fmt: skip
        incarnation, today, ranges, earlier = cast(tuple[Any, ...], await cursor.fetchone())
        fresh = [e for e in events if not _within(ranges, e.sequence)]
        if not fresh:
            return
        self.keys.refresh()
        new = fresh
        if earlier is not None and fresh[0].sequence <= earlier:
            known = await known_before(raw, fresh, self.keys, today)
            new = [e for e in fresh if e.id not in known]
        rows, heads = await self._rows(raw, new, incarnation, today) if new else (Rows(), [])
        await self._write(raw, rows, heads, (producer, incarnation), fresh, new)

    async def _rows(
        self, raw: Raw, events: Sequence[Recorded], incarnation: int, today: int
    ) -> tuple[Rows, list[Growing]]:
        """As much as can be is made before the heads are locked: others enter meanwhile."""
        days = {entry_day(e, today) for e in events} | {today, today + 1}  # one ahead, always
        await raw.execute(MISSING_DAYS, ([d for d in days if d >= self.keys.oldest],))
        persons = await self._people_of(events)
        trails = await self._trails_of(raw, {e.organization for e in events})
        aside = _aside(len(events))
        batch = Batch(self.keys, persons, incarnation, today)
        ready = await aside(batch.ready, events, trails)
        heads = await self._heads(raw, set(trails.values()))
        return await aside(place, ready, heads), list(heads.values())

    async def _people_of(self, events: Sequence[Recorded]) -> dict[str, DataKey | None]:
        try:
            async with asyncio.timeout(KEYS_WITHIN_S):
                return await self.people.of({e.actor for e in events if is_person(e.actor)})
        except TimeoutError:
            raise Unavailable("the keys of people do not come", part="identity") from None

    async def _trails_of(self, raw: Raw, organizations: set[str]) -> dict[str, UUID]:
        """A trail begins with the first event of its organization."""
        if new := sorted(organizations - self._trails.keys()):
            await raw.execute(NEW_TRAILS, (new, [uuid4() for _ in new]))
            self._trails |= dict(await (await raw.execute(TRAILS, (new,))).fetchall())
        return {org: self._trails[org] for org in organizations}

    async def _heads(self, raw: Raw, trails: set[UUID]) -> dict[UUID, Growing]:
        cursor = await raw.execute(HEADS, (list(trails),))
        found = {
            trail: Growing(trail, Frontier(size, split(frontier)))
            for trail, size, frontier in await cursor.fetchall()
        }
        if found.keys() != trails:
            # What this process knew was rolled back, or somebody took the trail away.
            self._trails.clear()
            raise Unavailable("a trail is not there", part="store")
        return found

    async def _write(
        self, raw: Raw, rows: Rows, heads: Sequence[Growing], of: tuple[str, int],
        fresh: Sequence[Recorded], new: Sequence[Recorded],
    ) -> None:  # fmt: skip
        await copying.copy(raw, copying.LEAF, map(copying.leaf, rows.leaves))
        await copying.copy(raw, copying.TREE, map(copying.tree, rows.tree))
        await copying.copy(raw, copying.DETAIL, map(copying.detail, rows.details))
        entered = {e.sequence for e in new}
        runs = [(f, n, sum(at in entered for at in range(f, n + 1))) for f, n in _runs(fresh)]
        await raw.execute(MOVE, (
            [h.trail for h in heads], [h.frontier.size for h in heads],
            [b"".join(h.frontier.hashes) for h in heads], sorted({e.type for e in new}), *of,
            *map(list, zip(*runs, strict=True)),
        ))  # fmt: skip


def _aside(count: int) -> Callable[..., Awaitable[Any]]:
    """Where to make so many: many of them in a thread, for the loop serves others too."""

    async def here(function: Callable[..., Any], *values: Any) -> Any:
        return function(*values)

    return here if count < IN_A_THREAD else asyncio.to_thread


def _within(ranges: Iterable[Sequence[int]] | None, number: int) -> bool:
    return any(first <= number <= last for first, last in ranges or ())


def _runs(events: Sequence[Recorded]) -> list[tuple[int, int]]:
    """Ranges without a hole, of numbers in order."""
    found: list[tuple[int, int]] = []
    for event in events:
        if found and event.sequence == found[-1][1] + 1:
            found[-1] = found[-1][0], event.sequence
        else:
            found.append((event.sequence, event.sequence))
    return found
