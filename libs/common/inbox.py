"""The inbox: takes another service's stream by number; what is missing is read from its log."""

import asyncio
import contextlib
import logging
from functools import lru_cache

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.js import api

from libs.common.bus import Bus
from libs.common.database import LOST
from libs.common.errors import DomainError, Unavailable
from libs.common.log_page import LogPage, Page
from libs.common.messages import Meta, Recorded, decode_batch
from libs.common.pull import StandingPull, ensure_consumer, ensure_event_stream
from libs.common.readers import RETRY_S, Gap, Reader, Stopped
from libs.common.relay import INCARNATION

log = logging.getLogger(__name__)
TAKE_EVENTS_MAX = 4000
MESSAGES_SHARED = 8


_decode_page = msgspec.json.Decoder(Page).decode
# The services of a process get the same messages, one shortly after the other.
_decoded = lru_cache(MESSAGES_SHARED)(decode_batch)


class Inbox:
    """Feeds one reader from the bus; run by the holder of the service's lease."""

    def __init__(self, reader: Reader, bus: Bus, durable: str) -> None:
        self.reader, self.bus, self.durable = reader, bus, durable
        self.producer = reader.producer
        self._came: asyncio.Queue[Msg | None] = asyncio.Queue()  # None: it fell behind
        self._behind = asyncio.Event()
        self._restored = False
        self._said = 0

    async def run(self) -> None:
        pull = StandingPull(
            self.bus.nc, self.producer.upper(), self.durable, 200, self._came.put_nowait,
            self._ensure,
        )  # fmt: skip
        heads = await self.bus.nc.subscribe(f"{self.producer}.relay.head", cb=self._head)
        pulling = asyncio.create_task(pull.run())
        try:
            while True:
                await self._guarded_turn()
        finally:
            pulling.cancel()
            with contextlib.suppress(nats.errors.Error, OSError):
                await heads.unsubscribe()

    async def _ensure(self) -> None:
        js = self.bus.js
        await ensure_event_stream(js, self.producer)
        await ensure_consumer(js, self.producer.upper(), self.durable, api.AckPolicy.ALL, 1000)

    async def _guarded_turn(self) -> None:
        try:
            await self._turn()
        except Stopped:
            self._restored = False
            await asyncio.sleep(RETRY_S)
        except (nats.errors.Error, DomainError, *LOST) as error:
            log.warning("inbox waits", extra={
                "reader": self.reader.name, "cause": type(error).__name__})  # fmt: skip
            self._behind.set()
            await asyncio.sleep(0.5)

    async def _head(self, message: Msg) -> None:
        incarnation, _, said = message.data.decode().partition(":")
        head, n = int(said), self.reader.n
        if head > n:
            asyncio.get_running_loop().call_later(1.0, self._late, head, n)
        anew = int(incarnation) != self.reader.incarnation and self.reader.incarnation
        if anew or head < self._said:
            self._fall_behind()
        self._said = self.reader.head = head

    def _late(self, head: int, n: int) -> None:
        """What has not begun to come by the bus a second after the head was said is asked for."""
        if self.reader.n == n < head:
            self._fall_behind()

    def _fall_behind(self) -> None:
        self._behind.set()
        self._came.put_nowait(None)

    async def _turn(self) -> None:
        if not self._restored:
            await self.reader.restore()
            self._restored = True
            self._behind.set()
        if self._behind.is_set():
            self._behind.clear()
            await self.catch_up()
        first = await self._came.get()
        if first is None:
            return
        messages, events = [first], _events(first)
        incarnation = int((first.headers or {}).get(INCARNATION, "1"))
        while not self._came.empty() and len(events) < TAKE_EVENTS_MAX:
            message = self._came.get_nowait()
            if message is None:
                break
            if int((message.headers or {}).get(INCARNATION, "1")) != incarnation:
                self._came.put_nowait(message)
                break
            messages.append(message)
            events += _events(message)
        await self._take(_in_order(events), incarnation)
        await messages[-1].ack()

    async def _take(self, events: list[Recorded], incarnation: int) -> None:
        try:
            await self.reader.take(events, incarnation)
        except Gap as gap:
            log.info("gap", extra={"reader": self.reader.name, "at": gap.at, "came": gap.came})
            await self.catch_up()

    async def catch_up(self) -> None:
        """Reads the producer's log until its head was taken."""
        while True:
            after = self.reader.n
            answer = await self.bus.ask(
                LogPage(after=after), Meta.system(self.reader.database.service),
                subject=f"{self.producer}.query.log-page",
            )  # fmt: skip
            page = _decode_page(answer.body)
            known = self.reader.incarnation
            if known and (page.incarnation != known or page.head < after):
                self.reader.stopped = (
                    f"the log of {self.producer} is at {page.head} ({page.incarnation}),"
                    f" taken were {after} ({known}): run `troth restore`"
                )
                raise Unavailable(self.reader.stopped, part=self.producer)
            self.reader.head = max(self.reader.head, page.head)
            if not page.events and page.head <= self.reader.n:
                return
            await self.reader.take_page(page, after)


def _in_order(events: list[Recorded]) -> list[Recorded]:
    """By number, without the second of two (a redelivered batch may overlap the next)."""
    seen: dict[int, Recorded] = {}
    for event in events:
        seen.setdefault(event.sequence, event)
    return [seen[n] for n in sorted(seen)]


def _events(message: Msg) -> list[Recorded]:
    """The events of a message; what is no batch has no number and is passed over, said aloud."""
    try:
        return _decoded(message.data)
    except msgspec.DecodeError:
        log.error("a message that is no batch of events", extra={"subject": message.subject})
        return []
