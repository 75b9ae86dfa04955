"""What a walk is given instead of doing it again: recorded results, and pinned ones."""

import asyncio
import random
from datetime import datetime
from itertools import chain
from typing import Any

from libs.common.messages import Event
from services.executor import pins
from services.executor.contract import ExecutionProgressed, WaitBegan, WaitEnded
from services.executor.host import MISSING, Within, is_in
from services.executor.referring import Referring
from services.executor.state import Sealed


class Results(Referring):
    """Facts, seen by the walk; a pinned result is recorded as the step's own when it is met."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.pins: dict[str, Any] = {}
        self._taken: set[str] = set()
        self._waits = set(self.state.waits)
        self._known = self.version  # up to there `state` has the results

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

    def begun(self, within: Within) -> bool:
        """Whether one of these steps has done, sent or asked anything."""
        s, here = self.state, (result.path for result in self._results)
        paths = chain(s.results, s.effects, s.waits_ended, self._waits, here)
        return any(is_in(path, within) for path in paths)

    async def catch_up(self) -> None:
        """Commits what there is, and takes the results of its own commits into `state`."""
        await self.settled()
        await self.flush()
        for one in await self.around.events_since(self.stream, self._known):
            if one.type == ExecutionProgressed.type:
                for index, result in enumerate(one.json()["results"]):
                    values = one.json()["values"]
                    self.state.results.setdefault(result["path"], Sealed(values, index))
        self._known = self.version

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
