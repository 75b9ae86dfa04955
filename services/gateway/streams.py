"""Streams that callers have open: how many an organization may have, and what wakes them.

The signals of services are heard only while somebody follows; each stream asks for itself.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from nats.aio.msg import Msg

from libs.common.bus import Bus
from services.gateway.refusals import TooManyStreams
from services.identity.contract import CallerShown

STREAMS_MAX = 20  # of one organization, in this process
AGAIN_S = 1.5


class Wakeable:
    """Something that waits for a name to be called at a subject."""

    def __init__(self, organization: str, subject: str, name: str) -> None:
        self.organization, self.subject, self.name = organization, subject, name
        self.woken = asyncio.Event()
        self.check_at: list[float] = []

    def holder(self) -> CallerShown | None:
        """Who it is open for; said by `EventStream`. Being counted and woken needs no holder."""
        raise NotImplementedError

    def doubt(self) -> None:
        """Its holder may have lost the right: asked now, and again when views have followed."""
        now = time.monotonic()
        self.check_at = [now, now + AGAIN_S]
        self.woken.set()


class Streams:
    """One per process."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._open: dict[str, dict[str, set[Wakeable]]] = {}
        self._heard: dict[str, Any] = {}
        self._count: Counter[str] = Counter()
        self._lock = asyncio.Lock()
        self.ending = False

    async def enter(self, stream: Wakeable) -> None:
        """From then on it is woken. Raises TooManyStreams."""
        if self._count[stream.organization] >= STREAMS_MAX:
            raise TooManyStreams(
                f"an organization has at most {STREAMS_MAX} streams open",
                limit="streams", retry_after_s=5,
            )  # fmt: skip
        self._count[stream.organization] += 1
        names = self._open.setdefault(stream.subject, {})
        names.setdefault(stream.name, set()).add(stream)
        try:
            await self._hear(stream.subject)
        except BaseException:
            await self.leave(stream)
            raise

    async def _hear(self, subject: str) -> None:
        async with self._lock:
            if subject not in self._heard:
                self._heard[subject] = await self._bus.nc.subscribe(subject, cb=self._came)

    async def leave(self, stream: Wakeable) -> None:
        self._count[stream.organization] -= 1
        if not self._count[stream.organization]:
            del self._count[stream.organization]
        names = self._open[stream.subject]
        names[stream.name].discard(stream)
        if not names[stream.name]:
            del names[stream.name]
        async with self._lock:
            if not names and (subscription := self._heard.pop(stream.subject, None)) is not None:
                await subscription.unsubscribe()

    async def _came(self, message: Msg) -> None:
        names = self._open.get(message.subject, {})
        for name in names.keys() & message.data.decode().split(" "):
            for stream in names[name]:
                stream.woken.set()

    # -- what happens to all --------------------------------------------------------------------

    def all(self) -> list[Wakeable]:
        return [
            one for names in self._open.values() for streams in names.values() for one in streams
        ]

    def wake_all(self) -> None:
        """After a lost connection: what was said meanwhile was not heard."""
        for stream in self.all():
            stream.woken.set()

    def doubt(self, concerned: Callable[[CallerShown], bool]) -> None:
        for stream in self.all():
            holder = stream.holder()
            if holder is None or concerned(holder):
                stream.doubt()

    def end_all(self) -> None:
        """The process ends: each is closed, and resumed elsewhere from its last place."""
        self.ending = True
        self.wake_all()
