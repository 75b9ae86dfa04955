"""Answers of other services kept for seconds; asked once however many wait; dropped by events."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """A bounded map with an age limit. Refusals are not kept unless `ask` returns them."""

    def __init__(
        self, ask: Callable[[K], Awaitable[V]], keep_s: float, size_max: int = 10_000
    ) -> None:
        self._ask, self._keep_s, self._size_max = ask, keep_s, size_max
        self._held: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._asking: dict[K, asyncio.Task[V]] = {}
        self._dropped = 0

    def at_hand(self, key: K) -> V | None:
        """What is kept, without asking anybody."""
        found = self._held.get(key)
        if found is None or found[0] < time.monotonic():
            return None
        return found[1]

    async def get(self, key: K) -> V:
        """What is kept, else what is answered now."""
        found = self._held.get(key)
        if found is not None and found[0] >= time.monotonic():
            return found[1]
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._fetch(key))
            task.add_done_callback(lambda done: self._asked(key, done))
        return await asyncio.shield(task)

    def _asked(self, key: K, task: asyncio.Task[V]) -> None:
        if self._asking.get(key) is task:
            del self._asking[key]
        if not task.cancelled():
            task.exception()

    async def _fetch(self, key: K) -> V:
        generation = self._dropped
        value = await self._ask(key)
        if generation == self._dropped:
            self._held[key] = (time.monotonic() + self._keep_s, value)
            self._held.move_to_end(key)
            if len(self._held) > self._size_max:
                self._held.popitem(last=False)
        return value

    def drop(self, wanted: Callable[[K, V], bool]) -> None:
        """Forgets what fits; what is being asked for meanwhile is not kept."""
        self._dropped += 1
        self._asking.clear()
        for key in [key for key, (_, value) in self._held.items() if wanted(key, value)]:
            del self._held[key]

    def clear(self) -> None:
        self.drop(lambda key, value: True)
