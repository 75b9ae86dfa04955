"""After a restore numbers begin anew in a new incarnation: what was entered before is not again."""

from collections.abc import Sequence
from typing import Any

import psycopg

from libs.common import ids
from libs.common.messages import Recorded
from services.audit.batch import entry_day
from services.audit.blind import Blinder
from services.audit.daykeys import DayKeys

THERE = b"""
select w.number from unnest(%s::bigint[], %s::bigint[], %s::bigint[]) as w(number, day, blind)
where exists (select 1 from audit_detail d where d.day = w.day and d.id = w.blind)
"""
TRAILS = b"select org, trail from trails where org = any(%s)"


async def known_before(
    raw: psycopg.AsyncConnection[Any], events: Sequence[Recorded], keys: DayKeys, today: int
) -> set[str]:
    """Ids of events that stand in the trail. Those of forgotten days can't be told: they were a
    producer's log that was restored, and count as known."""
    cursor = await raw.execute(TRAILS, ([*{e.organization for e in events}],))
    trails = dict(await cursor.fetchall())
    looked_for: list[tuple[int, int, int]] = []
    known: set[str] = set()
    for event in events:
        # Entered later than it happened, it has its own day still; entered early, its day of entry.
        day = entry_day(event, today)
        if day < keys.oldest:
            known.add(event.id)
        elif event.organization in trails:
            blinder = Blinder.of(keys.of(day), trails[event.organization])
            blind = blinder.once("id", ids.public("evt", ids.uuid_of(event.id)))
            looked_for.append((event.sequence, day, blind))
    if looked_for:
        cursor = await raw.execute(THERE, [*map(list, zip(*looked_for, strict=True))])
        numbers = {number for (number,) in await cursor.fetchall()}
        known |= {e.id for e in events if e.sequence in numbers}
    return known
