"""Looks at what is kept: one event per reader, thing and hour, and nothing for all that follow.

The name of an event's stream holds the reader and the hour, and the event is its first, so that
the log itself lets in one, whichever process it is read in. A look that was noted already costs a
look into a set. What is noted is committed within a second: a crash loses that second.
"""

import asyncio
import contextlib
import logging

from libs.common import clock, telemetry
from libs.common.database import LOST
from libs.common.errors import DomainError, Unavailable
from libs.common.eventstore import EventStore, Row, rows, stream_of
from libs.common.messages import Event, Meta

log = logging.getLogger(__name__)
EVERY_S, LAST_S = 1.0, 2.0
SEEN_MAX, WAITING_MAX, AT_ONCE = 100_000, 50_000, 500


class Looks:
    """One per process of a service that opens something for callers."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._hour = 0
        self._seen: set[str] = set()
        self._waiting: list[Row] = []

    def note(self, kind: str, thing: str, fact: Event, meta: Meta) -> None:
        """`meta` says who looks; services at work for nobody do not."""
        if meta.actor.startswith("system:"):
            return
        hour = int(clock.seconds()) // 3600
        if hour != self._hour or len(self._seen) >= SEEN_MAX:
            self._hour, self._seen = hour, set()
        stream = stream_of(kind, meta.organization, thing, meta.actor, str(hour))
        if stream in self._seen:
            return
        self._seen.add(stream)
        if len(self._waiting) >= WAITING_MAX:
            telemetry.LOOKS_LOST.inc()
            return
        self._waiting += rows(stream, 1, [fact], meta)

    async def run(self) -> None:
        """Commits for ever; at the end what is left."""
        try:
            while True:
                await asyncio.sleep(EVERY_S)
                try:
                    await self.flush()
                except (Unavailable, *LOST) as error:
                    log.warning("looks wait", extra={"cause": type(error).__name__})
        finally:
            with contextlib.suppress(DomainError, TimeoutError, *LOST):
                async with asyncio.timeout(LAST_S):
                    await self.flush()

    async def flush(self) -> None:
        """Another process may have noted the same look: then the log has it."""
        while batch := self._waiting[:AT_ONCE]:
            await self._store.append_each(batch)
            del self._waiting[: len(batch)]
