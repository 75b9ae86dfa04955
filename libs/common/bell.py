"""A bell: says on the bus what changed, so that who waits looks at once; many rings, one message.

What is not heard is found by the listener's own look, seconds later: nothing depends on it.
"""

import asyncio
import contextlib
from collections.abc import Iterable

import nats.errors

from libs.common.bus import Bus
from libs.common.errors import Unavailable


class Bell:
    """Names of what changed, with blanks between, at one subject."""

    def __init__(self, bus: Bus, subject: str) -> None:
        self._bus, self._subject = bus, subject
        self._names: set[str] = set()
        self._rung = asyncio.Event()

    def ring(self, names: Iterable[str]) -> None:
        self._names.update(names)
        if self._names:
            self._rung.set()

    async def run(self) -> None:
        """Says what was rung, for ever."""
        while True:
            await self._rung.wait()
            self._rung.clear()
            said, self._names = " ".join(self._names), set()
            with contextlib.suppress(nats.errors.Error, OSError, Unavailable):
                await self._bus.nc.publish(self._subject, said.encode())
