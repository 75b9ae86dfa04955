"""The lease of a service: one process leads (relay, readers, timers), the others wake it."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import nats.errors
from sqlalchemy import text

from libs.common.bus import Bus
from libs.common.database import LOST, Database
from libs.common.errors import Unavailable
from libs.common.tasks import end

LEASE_S = 2.0
Spawn = Callable[[Any, str], "asyncio.Task[None]"]


class Lease:
    """Taken and renewed by the database's clock; `work` is what its holder does.

    `wake_s` is how long commits are gathered before relay and projections are woken.
    """

    def __init__(
        self, database: Database, bus: Bus, owner: str, spawn: Spawn,
        work: Callable[[], list[tuple[str, Any]]],
    ) -> None:  # fmt: skip
        self._database, self._bus, self._owner = database, bus, owner
        self._spawn, self._work = spawn, work
        self._subject = f"{bus.service}.relay.wake"
        self._woken: dict[str, asyncio.Event] = {}
        self._waking = False
        self.held = False
        self.wake_s = 0.0

    def woken(self, name: str) -> asyncio.Event:
        """The event that wakes one piece of the holder's work."""
        return self._woken.setdefault(name, asyncio.Event())

    def wake(self) -> None:
        """Wakes the holder's work, at most once in `wake_s`; over the bus when held elsewhere."""
        if not self._waking:
            self._waking = True
            asyncio.get_running_loop().call_later(max(self.wake_s, 0.001), self._wake_now)

    def _wake_now(self) -> None:
        self._waking = False
        if self.held:
            for event in self._woken.values():
                event.set()
        elif self._bus.connected:
            self._spawn(self._wake_there(), "wake")

    async def _wake_there(self) -> None:
        """A lost wake-up costs a poll's time, nothing else."""
        with contextlib.suppress(nats.errors.Error, OSError):
            await self._bus.nc.publish(self._subject, b"")

    async def run(self, each_time: Callable[[], None]) -> None:
        """Takes and renews the lease for ever; leads while it holds."""
        led: list[asyncio.Task[None]] = []
        try:
            while True:
                held = False
                with contextlib.suppress(Unavailable, TimeoutError, *LOST):
                    async with asyncio.timeout(LEASE_S / 2):
                        held = await self._take()
                if held and not led:
                    self.held = True
                    work = [("wake", self._listen()), *self._work()]
                    led = [self._spawn(one, name) for name, one in work]
                elif not held and led:
                    self.held = False
                    await end(led)
                    led = []
                each_time()
                await asyncio.sleep(LEASE_S / 3)
        finally:
            self.held = False

    async def _take(self) -> bool:
        async with self._database.work() as connection:
            row = await connection.execute(
                text("insert into leases as l (name, owner, until)"
                     " values ('lead', :me, now() + make_interval(secs => :s))"
                     " on conflict (name) do update set owner = :me, until = excluded.until"
                     " where l.owner = :me or l.until < now() returning 1"),
                {"me": self._owner, "s": LEASE_S},
            )  # fmt: skip
            return row.first() is not None

    async def give_back(self) -> None:
        with contextlib.suppress(Unavailable, *LOST):
            async with self._database.work() as connection:
                await connection.execute(
                    text("delete from leases where owner = :me"), {"me": self._owner}
                )

    async def _listen(self) -> None:
        async def wake(_: Any) -> None:
            self.wake()

        subscription = await self._bus.nc.subscribe(self._subject, cb=wake)
        try:
            await asyncio.Event().wait()
        finally:
            with contextlib.suppress(nats.errors.Error, OSError):
                await subscription.unsubscribe()
