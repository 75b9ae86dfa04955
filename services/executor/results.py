"""What a walk is given instead of doing it again: recorded results, and pinned ones."""

import asyncio
import random
from typing import Any

from services.executor import pins
from services.executor.facts import Facts
from services.executor.host import MISSING


class Results(Facts):
    """Facts, seen by the walk; a pinned result is recorded as the step's own when it is met."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.pins: dict[str, Any] = {}
        self._taken: set[str] = set()

    def recorded(self, path: str) -> Any:
        found = self.state.results.get(path)
        return self.pinned(path) if found is None else self.open_result(found)

    def pinned(self, path: str) -> Any:
        value = pins.given(self.pins, path)
        if value is not MISSING and path not in self._taken:
            self._taken.add(path)
            self.note_now(path, "pinned", self.now(), value)
        return value

    async def rest(self, seconds: float) -> None:
        """A pause between two attempts that is too short to park for."""
        await asyncio.sleep(seconds)

    def chance(self) -> float:
        """From 0 to 1: how much of the longest pause there is between two attempts."""
        return random.random()  # noqa: S311 - jitter, not a secret
