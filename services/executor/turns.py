"""Who waits for a place of a process: organizations in turn, each in its own order."""

import asyncio
from collections import deque
from contextlib import suppress


class Turns:
    """A place that gets free goes to the organization that has waited longest for its turn."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def wait(self, org: str, within_s: float) -> bool:
        """False when the turn did not come in time."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(org, deque()).append(turn)
        try:
            await asyncio.wait_for(turn, within_s)
        except TimeoutError:
            self._gave_up(org, turn)
            return False
        return True

    def _gave_up(self, org: str, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.get(org, deque())
        with suppress(ValueError):
            queue.remove(turn)
        if not queue:
            self._waiting.pop(org, None)

    def next(self) -> bool:
        """Lets the next one go; False when nobody waits."""
        while self._waiting:
            org = next(iter(self._waiting))
            queue = self._waiting.pop(org)
            turn = queue.popleft()
            if queue:
                self._waiting[org] = queue
            if not turn.done():
                turn.set_result(None)
                return True
        return False
