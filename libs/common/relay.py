"""The relay: publishes a service's log by number, up to a hundred events in one bus message."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

import nats.errors
from nats.js.errors import APIError, NotFoundError
from sqlalchemy import text

from libs.common.bus import Bus
from libs.common.database import LOST
from libs.common.errors import Unavailable
from libs.common.eventstore import EventStore
from libs.common.messages import Recorded, encode_batch
from libs.common.pull import ensure_event_stream
from libs.common.streams import subject_of

log = logging.getLogger(__name__)
PAGE_EVENTS = 2000
MESSAGE_EVENTS_MAX = 100
POLL_S = 5.0
PACE_S = 0.02
MESSAGE_BYTES_MAX = 600_000
FIRST, LAST, INCARNATION = "Troth-First", "Troth-Last", "Troth-Incarnation"


def pack(events: Sequence[Recorded]) -> list[list[Recorded]]:
    """Messages of at most a hundred events and 600 kB, in order."""
    out: list[list[Recorded]] = []
    size = MESSAGE_BYTES_MAX + 1
    for event in events:
        weight = len(event.data) + 600
        if size + weight > MESSAGE_BYTES_MAX or len(out[-1]) >= MESSAGE_EVENTS_MAX:
            out.append([])
            size = 0
        out[-1].append(event)
        size += weight
    return out


class Ahead(Exception):
    """The bus holds numbers that this log does not: it was restored without `troth restore`."""


class Relay:
    """Run by the holder of the service's lease; a second one by accident only sends duplicates.

    What is committed within `PACE_S` after it published goes out together, so that under load
    neither it nor those who take the events work commit by commit.
    """

    def __init__(
        self, store: EventStore, bus: Bus, woken: asyncio.Event,
        wake: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.store, self.bus, self.woken, self.wake = store, bus, woken, wake
        self.service = store.database.service
        self.published = 0
        self.head = 0
        self.stopped: str | None = None

    async def run(self) -> None:
        """Publishes for ever; a lost server is waited for."""
        ready = False
        while True:
            try:
                if not ready:
                    await self._begin()
                    ready = True
                before = self.published
                if await self._turn():
                    continue
                if self.published != before:
                    await asyncio.sleep(PACE_S)
            except Ahead as error:
                self.stopped = str(error)
                log.error("relay stopped", extra={"cause": str(error)})
                await asyncio.sleep(5)
                ready = False
                continue
            except (TimeoutError, nats.errors.Error, APIError, Unavailable, *LOST) as error:
                log.warning("relay waits", extra={"cause": type(error).__name__})
                ready = False
                await asyncio.sleep(0.3)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self.woken.wait()
            self.woken.clear()

    async def _begin(self) -> None:
        js = self.bus.js
        await ensure_event_stream(js, self.service)
        there, of = await self._last_on_the_bus()
        async with self.store.database.work() as connection:
            await connection.execute(
                text("insert into readers (name) values ('relay') on conflict do nothing")
            )
            row = await connection.execute(text("select n from readers where name = 'relay'"))
            self.published = row.scalar_one()
        _, self.head, incarnation = await self.store.page(self.published, 1)
        if of == incarnation and there > self.head:
            raise Ahead(f"the bus is at {there}, the log at {self.head}: run `troth restore`")
        self.stopped = None

    async def _last_on_the_bus(self) -> tuple[int, int]:
        """Number and incarnation; asked before the log's head, for an old relay may still run."""
        try:
            last = await self.bus.js.get_last_msg(self.service.upper(), subject_of(self.service))
        except NotFoundError:
            return 0, 0
        headers = last.headers or {}
        return int(headers.get(LAST, "0")), int(headers.get(INCARNATION, "0"))

    async def _turn(self) -> bool:
        """One page; True when there may be more."""
        events, self.head, incarnation = await self.store.page(self.published, PAGE_EVENTS)
        if not events:
            return False
        js, waiting = self.bus.js, []
        for batch in pack(events):
            first, last = batch[0].sequence, batch[-1].sequence
            headers = {
                "Nats-Msg-Id": f"{self.service}-{incarnation}-{first}-{last}",
                "content-type": "application/cloudevents-batch+json",
                FIRST: str(first), LAST: str(last), INCARNATION: str(incarnation),
            }  # fmt: skip
            waiting.append(
                await js.publish_async(
                    subject_of(self.service), encode_batch(batch), headers=headers
                )
            )
        async with asyncio.timeout(10):
            await asyncio.gather(*waiting)
        self.published = events[-1].sequence
        async with self.store.database.hot.connection() as connection:
            await connection.execute(
                "update readers set n = %(n)s, at = now() where name = 'relay' and n < %(n)s",
                {"n": self.published},
            )
        return len(events) == PAGE_EVENTS

    async def say_head(self) -> None:
        """Says the head every second, so that a reader notices a lost tail.

        When it is new, relay and projections are woken: whoever appended may have died first.
        """
        said = 0
        while True:
            with contextlib.suppress(nats.errors.Error, Unavailable, *LOST):
                _, head, incarnation = await self.store.page(1 << 62, 1)
                if head != said:
                    said = head
                    self.wake()
                await self.bus.nc.publish(
                    f"{self.service}.relay.head", f"{incarnation}:{head}".encode()
                )
            await asyncio.sleep(1)
