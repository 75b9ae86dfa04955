"""What every service is: a connection to the bus, handlers, keys, tasks; it needs no database."""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from faststream.nats import NatsRouter

from libs.common.bus import Bus
from libs.common.keys import ask_identity
from libs.common.privacy import Fetch, KeyRing
from libs.common.settings import ServiceSecrets, Settings, secrets_of
from libs.common.tasks import end

log = logging.getLogger(__name__)


class BusService:
    """One service in a process. The gateway is no more than this, and so loads no SQL at all."""

    def __init__(
        self, name: str, settings: Settings, *, fetch_key: Fetch | None = None,
        secrets: ServiceSecrets | None = None,
    ) -> None:  # fmt: skip
        self.name, self.settings = name, settings
        secrets = secrets or secrets_of(name)
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self.bus = Bus(settings.nats_url, name, name, secrets.nats_password.get_secret_value())
        self.keys = KeyRing(settings.kek_bytes, fetch_key or ask_identity(self.bus))
        self._tasks: list[asyncio.Task[None]] = []
        self.background: list[Callable[[], Awaitable[None]]] = []

    def include(self, router: NatsRouter) -> None:
        self.bus.broker.include_router(router)

    async def start(self) -> None:
        """Begins to answer; everything else runs in tasks."""
        await self.bus.start()
        for task in self.background:
            self._spawn(task(), task.__qualname__)

    async def stop(self) -> None:
        """Stops taking work and lets handlers end."""
        await end(self._tasks)
        await self.bus.stop()

    def _spawn(self, work: Any, name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"{self.name}:{name}")
        task.add_done_callback(self._ended)
        self._tasks.append(task)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks = [t for t in self._tasks if t is not task]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("task died", extra={"task": task.get_name()}, exc_info=error)
            os.kill(os.getpid(), 15)

    async def note_start(self, version: str, settings_digest: str) -> None:
        """Recorded by those that have a log."""

    async def note_stop(self, reason: str) -> None:
        """Recorded by those that have a log."""

    async def ready(self) -> dict[str, str]:
        """Each part with `ok`, or what is wrong with it."""
        return {f"{self.name}.bus": "ok" if self.bus.connected else "not connected"}
