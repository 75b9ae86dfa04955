"""Values looked up once for everybody who asks at the same time, and kept for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """A cache whose misses are shared: a thousand callers at once cause one look-up.

    `keep_s(value)` says how long a value is good; a failure is kept for nobody.
    """

    def __init__(self, keep_s: Callable[[V], float], entries_max: int = 10_000) -> None:
        self._keep_s, self._max = keep_s, entries_max
        self._values: dict[K, tuple[float, V]] = {}
        self._coming: dict[K, asyncio.Future[V]] = {}

    async def get(self, key: K, look_up: Callable[[], Awaitable[V]]) -> V:
        found = self._values.get(key)
        if found is not None and found[0] > time.monotonic():
            return found[1]
        coming = self._coming.get(key)
        if coming is None:
            coming = self._coming[key] = asyncio.ensure_future(look_up())
            coming.add_done_callback(lambda done: self._came(key, done))
        return await asyncio.shield(coming)

    def _came(self, key: K, done: "asyncio.Future[V]") -> None:
        if self._coming.get(key) is done:
            del self._coming[key]
            if not done.cancelled() and done.exception() is None:
                if len(self._values) >= self._max:
                    self._values.clear()
                value = done.result()
                self._values[key] = (time.monotonic() + self._keep_s(value), value)

    def at_hand(self, key: K) -> V | None:
        """The value without asking; None when it is not there or too old."""
        found = self._values.get(key)
        return found[1] if found is not None and found[0] > time.monotonic() else None

    def drop(self, wanted: Callable[[K], bool]) -> None:
        """Forgets what fits; a look-up under way is not kept either."""
        self._values = {k: v for k, v in self._values.items() if not wanted(k)}
        self._coming = {k: f for k, f in self._coming.items() if not wanted(k)}
