"""The lease of a service: one process leads (relay, readers, timers), the others wake it."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import nats.errors
import psycopg

from libs.common.bus import Bus
from libs.common.database import LOST, Database
from libs.common.tasks import end

LEASE_S = 2.0
# A renewal that a crash of the server takes back is renewed again: nobody waits for the disk.
_TAKE = b"""
insert into leases as l (name, owner, until)
values ('lead', %(me)s, now() + make_interval(secs => %(s)s))
on conflict (name) do update set owner = excluded.owner, until = excluded.until
where l.owner = excluded.owner or l.until < now()
returning set_config('synchronous_commit', 'off', true)
"""
_GIVE_BACK = b"delete from leases where owner = %(me)s"
Spawn = Callable[[Any, str], "asyncio.Task[None]"]


class Lease:
    """Taken and renewed by the database's clock; `work` is what its holder does.

    It has a connection of its own: whoever waits for one in a pool must not lose the lease by that.
    `wake_s` is how long commits are gathered before relay and projections are woken.
    """

    def __init__(
        self, database: Database, bus: Bus, owner: str, spawn: Spawn,
        work: Callable[[], list[tuple[str, Any]]],
    ) -> None:  # fmt: skip
        self._database, self._bus, self._owner = database, bus, owner
        self._spawn, self._work = spawn, work
        self._subject = f"{bus.service}.relay.wake"
        self._connection: psycopg.AsyncConnection[Any] | None = None
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
                try:
                    async with asyncio.timeout(LEASE_S / 2):
                        held = await self._take()
                except (TimeoutError, *LOST):
                    await self._hang_up()
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
        if self._connection is None or self._connection.closed:
            self._connection = await self._database.connect()
        cursor = await self._connection.execute(_TAKE, {"me": self._owner, "s": LEASE_S})
        return await cursor.fetchone() is not None

    async def _hang_up(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()

    async def give_back(self) -> None:
        with contextlib.suppress(*LOST):
            if self._connection is None or self._connection.closed:
                self._connection = await self._database.connect()
            await self._connection.execute(_GIVE_BACK, {"me": self._owner})
        await self._hang_up()

    async def _listen(self) -> None:
        async def wake(_: Any) -> None:
            self.wake()

        subscription = await self._bus.nc.subscribe(self._subject, cb=wake)
        try:
            await asyncio.Event().wait()
        finally:
            with contextlib.suppress(nats.errors.Error, OSError):
                await subscription.unsubscribe()
