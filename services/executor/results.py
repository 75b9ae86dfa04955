"""What a walk is given instead of doing it again: recorded results, and pinned ones."""

import asyncio
import random
from datetime import datetime
from typing import Any

from libs.common.messages import Event
from services.executor import pins
from services.executor.contract import WaitBegan, WaitEnded
from services.executor.host import MISSING, Within, is_in
from services.executor.referring import Referring


class Results(Referring):
    """Facts, seen by the walk; a pinned result is recorded as the step's own when it is met."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.pins: dict[str, Any] = {}
        self._taken: set[str] = set()
        self._waits = set(self.state.waits)

    def tell(self, *events: Event) -> None:
        super().tell(*events)
        for event in events:
            if isinstance(event, WaitBegan):
                self._waits.add(event.path)
            elif isinstance(event, WaitEnded):
                self._waits.discard(event.path)

    def drop(self, within: Within | None = None) -> bool:
        """Nobody waits any more for what these steps wait for; False when they wait for nothing."""
        paths = sorted(path for path in self._waits if is_in(path, within))
        self.tell(*(WaitEnded(path=path, reason="cancelled") for path in paths))
        return bool(paths)

    def recorded(self, path: str) -> Any:
        found = self.state.results.get(path)
        return self.pinned(path) if found is None else self.open_result(found)

    def pinned(self, path: str) -> Any:
        value = pins.given(self.pins, path)
        if value is not MISSING and path not in self._taken:
            self._taken.add(path)
            self.note_now(path, "pinned", self.now(), value)
        return value

    def first_seen(self, path: str) -> datetime:
        """When the walk came to a wait for the first time."""
        return self.state.first_at.setdefault(path, self.now())

    async def rest(self, seconds: float) -> None:
        """A pause between two attempts that is too short to park for."""
        await asyncio.sleep(seconds)

    def chance(self) -> float:
        """From 0 to 1: how much of the longest pause there is between two attempts."""
        return random.random()  # noqa: S311 - jitter, not a secret
