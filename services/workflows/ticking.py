"""Decides due instants of schedules, by the database's clock; run by who leads.

The view says what is due and up to which tick it has read a stream; the append that names the
version after that one is refused when it has not read all. So an instant is decided once, by
whoever looks and however often.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import LOST
from libs.common.errors import Unavailable
from libs.common.eventstore import Row, rows
from libs.common.messages import Event, Meta
from libs.common.service import Service
from services.workflows.contract import schedule_stream
from services.workflows.domain.schedules import Tick, Ticked, due, schedules
from services.workflows.settings import WorkflowSettings
from services.workflows.views import tables as t

log = logging.getLogger(__name__)
NAME = "schedules"
AT_ONCE = 200
EVENTS_AT_ONCE = 1000
BEHIND_S = 0.02
AGAIN_S = 0.5


@dataclass(slots=True)
class Looked:
    """What is due by the database's clock, and when the next instant is."""

    now: datetime
    next_at: datetime | None = None
    behind: bool = False  # the view has not taken all that was committed
    due: Sequence[Any] = ()
    ticked: dict[tuple[str, str], tuple[int, Ticked]] = field(default_factory=dict)


class Ticker:
    """Looks when something was committed, when an instant is due, and once a minute."""

    def __init__(self, service: Service, settings: WorkflowSettings) -> None:
        self._service = service
        self._grace = timedelta(seconds=settings.schedule_grace_s)
        self._sleep_s = settings.schedule_sleep_s
        self._woken = service.lease.woken(NAME)

    async def run(self) -> None:
        while True:
            self._woken.clear()
            pause_s = AGAIN_S
            try:
                pause_s = await self.turn()
            except (Unavailable, *LOST) as error:
                log.warning("schedules wait", extra={"cause": type(error).__name__})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._woken.wait()

    async def turn(self) -> float:
        """Decides what is due; how long nothing more is."""
        async with self._service.database.work() as db:
            looked = await look(db)
        if looked.behind:
            # A view that stands still is no reason to look without a pause.
            return AGAIN_S if self._service.readers[0].stopped else BEHIND_S
        if looked.due:
            decided = await asyncio.to_thread(decide, looked, self._grace)
            for batch in batches(decided):
                await self._service.store.append_each(batch)
            return BEHIND_S
        if looked.next_at is None:
            return self._sleep_s
        return min(max((looked.next_at - looked.now).total_seconds(), 0.001), self._sleep_s)


async def look(db: AsyncConnection) -> Looked:
    """One look, in one transaction of its own."""
    found = await db.execute(text(
        "select wall_clock() as now, (select n from heads where partition = 0) as head,"
        " (select n from readers where name = 'catalogue') as taken,"
        " (select min(next_at) from schedules) as next_at"
    ))  # fmt: skip
    row = found.one()
    looked = Looked(row.now, row.next_at, behind=(row.taken or 0) < row.head)
    if looked.behind or row.next_at is None or row.next_at > row.now:
        return looked
    s = t.schedules.c
    first = select(t.schedules).where(s.next_at <= row.now).order_by(s.next_at).limit(AT_ONCE)
    looked.due = (await db.execute(first)).all()
    of = {(each.org, each.workflow_id) for each in looked.due}
    looked.ticked = await _ticked(db, of)
    return looked


async def _ticked(
    db: AsyncConnection, of: set[tuple[str, str]]
) -> dict[tuple[str, str], tuple[int, Ticked]]:
    """Per workflow: the version of its stream of ticks, and what they decided."""
    k = t.ticks.c
    found = await db.execute(
        select(t.ticks).where(
            k.org.in_({org for org, _ in of}), k.workflow_id.in_({name for _, name in of})
        )
    )
    ticked: dict[tuple[str, str], tuple[int, Ticked]] = {}
    for row in found:
        version, before = ticked.get((row.org, row.workflow_id), (0, Ticked()))
        last = Ticked({**before.last, row.schedule: row.due_at})
        ticked[row.org, row.workflow_id] = (max(version, row.stream_version), last)
    return ticked


def decide(looked: Looked, grace: timedelta) -> list[list[Row]]:
    """What is to be appended, per stream."""
    made: dict[tuple[str, str], list[Event]] = {}
    states: dict[tuple[str, str], Ticked] = {}
    for row in sorted(looked.due, key=lambda each: (each.next_at, each.version)):
        of = (row.org, row.workflow_id)
        state = states.get(of) or looked.ticked.get(of, (0, Ticked()))[1]
        until = looked.now if row.until is None else min(looked.now, row.until)
        found = due(row.cron, row.timezone, row.next_at, until, looked.now, grace)
        command = Tick(row.workflow_id, row.schedule, row.version, row.missed, found)
        events = schedules.decide(command, state)
        made.setdefault(of, []).extend(events)
        states[of] = schedules.fold(events, state)
    return [
        rows(
            schedule_stream(org, workflow_id),
            looked.ticked.get((org, workflow_id), (0, Ticked()))[0] + 1, events,
            Meta.system("schedules", org),
        )
        for (org, workflow_id), events in made.items()
        if events
    ]  # fmt: skip


def batches(decided: Sequence[list[Row]]) -> list[list[Row]]:
    """Streams put together, so that one statement appends about a thousand events."""
    found: list[list[Row]] = []
    for stream in decided:
        if not found or len(found[-1]) + len(stream) > EVENTS_AT_ONCE:
            found.append([])
        found[-1].extend(stream)
    return found
