"""Readers: whoever takes events by number, one row per reader, moved in the handling transaction.

A projection reads the service's own log; an inbox (inbox.py) reads another service's stream.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import LOST, Database
from libs.common.errors import Unavailable
from libs.common.eventstore import EventStore
from libs.common.expired import with_expired
from libs.common.log_page import Page
from libs.common.messages import Event, Recorded

log = logging.getLogger(__name__)
PAGE_EVENTS = 500
RETRY_S = 5.0
POLL_S = 5.0
PACE_S = 0.02  # what comes meanwhile is taken together
PLACE = text("select n from readers where name = :name")
MOVE = text("""
with was as (select n, incarnation, skip from readers where name = :name for update)
update readers r set n = :n, incarnation = :i, stopped_at = null, error = null, at = now()
from was where r.name = :name and (was.n < :n or was.incarnation not in (0, :i))
returning was.n, was.incarnation, was.skip""")
E = TypeVar("E", bound=Event)
Handle = Callable[[AsyncConnection, Sequence[Recorded]], Awaitable[None]]
On = Callable[[AsyncConnection, Any, Recorded], Awaitable[None]]
PastHole = Callable[[AsyncConnection, int, int, int], Awaitable[None]]


@dataclass(eq=False)
class Projection:
    """A disposable read model; raising `version` rebuilds it from the first event.

    Either `on(EventClass)` per event, or `whole` for a function that takes a batch.
    `producer` is the service whose events it reads; its own by default. `hole(connection,
    incarnation, first, last)` records numbers that the producer's log itself does not hold, and
    the reader goes on behind them; without it the reader stops there.
    """

    name: str
    version: int = 1
    tables: Sequence[Table] = ()
    producer: str | None = None
    handlers: dict[str, On] = field(default_factory=dict)
    batch: Handle | None = None
    hole: PastHole | None = None

    def on(self, *kinds: type[Event]) -> Callable[[On], On]:
        def register(function: On) -> On:
            for kind in kinds:
                self.handlers[kind.type] = function
            return function

        return register

    def whole(self, function: Handle) -> Handle:
        self.batch = function
        return function

    async def handle(self, connection: AsyncConnection, events: Sequence[Recorded]) -> None:
        if self.batch is not None:
            await self.batch(connection, events)
            return
        for recorded in events:
            if (function := self.handlers.get(recorded.type)) is not None:
                await function(connection, recorded.event(), recorded)


class Gap(Exception):
    """A number is missing between what was taken and what came."""

    def __init__(self, at: int, came: int) -> None:
        super().__init__(f"at {at}, came {came}")
        self.at, self.came = at, came


class Stopped(Exception):
    """A reader met an event that it can't handle."""


class Reader:
    """Carries one projection or inbox forward; stops at an event that it can't handle."""

    def __init__(self, projection: Projection, database: Database, producer: str) -> None:
        self.projection, self.database, self.producer = projection, database, producer
        self.name = projection.name
        self.n, self.incarnation, self.head = 0, 0, 0
        self.stopped: str | None = None
        self.on_stop: Callable[[str, Recorded, str], Awaitable[None]] | None = None
        self.on_moved: Callable[[], None] = lambda: None
        self._moved = asyncio.Condition()

    @property
    def lag(self) -> int:
        return max(0, self.head - self.n)

    async def restore(self) -> None:
        """Where it stood; a raised version begins at the first event."""
        async with self.database.work() as connection:
            await connection.execute(
                text("insert into readers (name, version) values (:name, :version)"
                     " on conflict do nothing"),
                {"name": self.name, "version": self.projection.version},
            )  # fmt: skip
            row = (await connection.execute(
                text("select n, incarnation, error from readers where name = :name"),
                {"name": self.name},
            )).one()  # fmt: skip
            self.n, self.incarnation, self.stopped = row.n, row.incarnation, row.error

    async def take(
        self, events: Sequence[Recorded], incarnation: int, expired: Collection[int] = ()
    ) -> None:
        """Handles events in order; what was taken before, and `expired` numbers, are passed over.

        Raises Gap when a number is missing; an event that can't be handled raises Stopped.
        """
        try:
            await self._take(events, incarnation, expired)
        except (Gap, Unavailable, *LOST):
            raise
        except Exception as error:
            if len(events) == 1:
                await self._stop(events[0], error)
                raise Stopped(self.name) from error
            for event in events:
                before = [n for n in expired if n < event.sequence]
                await self.take([event], incarnation, before)
            await self.take([], incarnation, expired)

    async def _take(
        self, events: Sequence[Recorded], incarnation: int, expired: Collection[int]
    ) -> None:
        async with self.database.work() as connection:
            last = max([e.sequence for e in events] + [*expired], default=0)
            where = {"name": self.name, "n": last, "i": incarnation}
            row = (await connection.execute(MOVE, where)).first()
            if row is None:  # all of it was taken before
                last = (await connection.execute(PLACE, {"name": self.name})).scalar_one()
            else:
                at = row.n if row.incarnation in (0, incarnation) else 0
                fresh = [e for e in events if e.sequence > at]
                numbers = {e.sequence for e in fresh}.union(n for n in expired if n > at)
                for expected, n in enumerate(sorted(numbers), at + 1):
                    if n != expected:
                        raise Gap(expected - 1, n)
                if handled := [e for e in fresh if e.sequence != row.skip]:
                    await self.projection.handle(connection, handled)
        await self._at(last, incarnation)

    async def take_page(self, page: Page, after: int) -> None:
        """Takes what the producer's log holds after `after`: what is missing there is a hole."""
        incarnation = page.incarnation
        try:
            if not page.events and not page.expired and page.head > after:
                raise Gap(after, page.head + 1)
            await self.take(page.events, incarnation, page.expired)
        except Gap as gap:
            if gap.at < after:
                await self.restore()
                if self.n == after:
                    raise Unavailable("the numbers began anew", part=self.producer) from gap
                return
            expired = [n for n in page.expired if n <= gap.at]
            if (before := [e for e in page.events if e.sequence <= gap.at]) or expired:
                await self.take(before, incarnation, expired)
            await self._past_hole(gap, incarnation)

    async def _past_hole(self, gap: Gap, incarnation: int) -> None:
        first, last = gap.at + 1, gap.came - 1
        said = f"numbers {first} to {last} are missing in the log of {self.producer}"
        async with self.database.work() as connection:
            row = (await connection.execute(
                text("select n, skip from readers where name = :name for update"),
                {"name": self.name},
            )).one()  # fmt: skip
            if row.n != gap.at:
                return
            skipped = row.skip is not None and first <= row.skip <= last
            passes = self.projection.hole is not None or skipped
            if self.projection.hole is not None:
                await self.projection.hole(connection, incarnation, first, last)
            await connection.execute(
                text("update readers set n = :n, incarnation = :i, stopped_at = :at,"
                     " error = :error, at = now() where name = :name"),
                {"n": last if passes else gap.at, "i": incarnation, "name": self.name,
                 "at": None if passes else first, "error": None if passes else said},
            )  # fmt: skip
        log.error("hole", extra={"reader": self.name, "first": first, "last": last})
        if not passes:
            self.stopped = said
            raise Stopped(self.name)
        await self._at(last, incarnation)

    async def _at(self, n: int, incarnation: int) -> None:
        async with self._moved:
            self.n, self.incarnation, self.stopped = n, incarnation, None
            self.head = max(self.head, n)
            self._moved.notify_all()
        self.on_moved()

    async def _stop(self, event: Recorded, error: Exception) -> None:
        said = f"{type(error).__name__} at {event.sequence} ({event.type})"
        if self.stopped != said:
            facts = {"reader": self.name, "event_type": event.type, "n": event.sequence}
            log.error("reader stopped", extra=facts, exc_info=error)
        first, self.stopped = self.stopped != said, said
        async with self.database.work() as connection:
            await connection.execute(
                text("update readers set stopped_at = :n, error = :error, at = now()"
                     " where name = :name"),
                {"n": event.sequence, "error": said, "name": self.name},
            )  # fmt: skip
        if first and self.on_stop is not None:
            await self.on_stop(self.name, event, type(error).__name__)

    async def reached(self, n: int, timeout_s: float = 2.0) -> bool:
        """Waits until number `n` was taken (by this process, or by another one)."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while self.n < n and (left := deadline - asyncio.get_running_loop().time()) > 0:
            with contextlib.suppress(TimeoutError):
                async with self._moved:
                    await asyncio.wait_for(self._moved.wait(), min(left, 0.05))
                    continue
            await self.restore()
        return self.n >= n

    async def reset(self) -> None:
        """Forgets everything it derived; the next turn begins at the first event."""
        async with self.database.work() as connection:
            for table in reversed(self.projection.tables):
                await connection.execute(table.delete())
            await connection.execute(
                text("update readers set n = 0, incarnation = 0, error = null, stopped_at = null"
                     " where name = :name"), {"name": self.name},
            )  # fmt: skip
        self.n = 0


async def follow_own_log(reader: Reader, store: EventStore, woken: asyncio.Event) -> None:
    """Carries a reader of the service's own log forward, for ever."""
    restored = False
    while True:
        woken.clear()
        try:
            if not restored:
                await reader.restore()
                restored = True
            after = reader.n
            events, reader.head, incarnation = await store.page(after, PAGE_EVENTS)
            if events or reader.head > after:
                page = await with_expired(
                    store, after, events, reader.head, incarnation, PAGE_EVENTS
                )
                await reader.take_page(page, after)
                if len(events) == PAGE_EVENTS or page.expired:
                    continue
                await asyncio.sleep(PACE_S)
        except Stopped:
            restored = False
            await asyncio.sleep(RETRY_S)
            continue
        except (Unavailable, *LOST) as error:
            log.warning("log unavailable", extra={"reader": reader.name, "cause": str(error)})
            await asyncio.sleep(0.5)
            continue
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await woken.wait()
