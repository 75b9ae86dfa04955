"""Connections of a service: `system` for its own work, `reader` for callers (row security)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import URL, AsyncAdaptedQueuePool, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoneFree
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from libs.common import clock
from libs.common.errors import Unavailable

LOST = (OperationalError, NoneFree, psycopg.OperationalError, OSError)
REST_S = 10.0
_OPTIONS = "-c idle_in_transaction_session_timeout=5s -c lock_timeout=7s -c statement_timeout=15s"


class Database:
    """One service's database with two roles; opens connections when they are first needed."""

    def __init__(
        self, server_url: str, service: str, system_password: str, reader_password: str,
        prefix: str = "troth_", kept: int = 2,
    ) -> None:  # fmt: skip
        self.service, self._server = service, urlsplit(server_url)
        self.name = f"{prefix}{service}"
        self._options = f"{_OPTIONS} -c troth.clock_offset={clock.offset_s}"
        self._passwords = {"system": system_password, "reader": reader_password}
        self.system: AsyncEngine = self._engine("system", kept, extra=3)
        self.reader: AsyncEngine = self._engine("reader", 1, extra=4)
        self._used = {self.system: _Used(), self.reader: _Used()}
        self.hot = AsyncConnectionPool(
            self.conninfo("system"), min_size=1, max_size=3, open=False, timeout=5, max_idle=REST_S,
            kwargs={"autocommit": True, "prepare_threshold": 1}, name=f"{service}-log",
        )  # fmt: skip

    def _engine(self, role: str, kept: int, extra: int) -> AsyncEngine:
        url = URL.create(
            "postgresql+psycopg", f"{self.service}_{role}", self._passwords[role],
            self._server.hostname, self._server.port or 5432, self.name,
        )  # fmt: skip
        arguments = {"options": self._options, "connect_timeout": 5,
                     "application_name": self.service}  # fmt: skip
        return create_async_engine(
            url, pool_size=kept, max_overflow=extra, pool_timeout=5, pool_use_lifo=True,
            connect_args=arguments, hide_parameters=True,
        )  # fmt: skip

    def conninfo(self, role: str) -> str:
        return make_conninfo(
            host=self._server.hostname, port=self._server.port or 5432,
            dbname=self.name, user=f"{self.service}_{role}",
            password=self._passwords[role], options=self._options, connect_timeout=5,
            application_name=self.service,
        )  # fmt: skip

    async def open(self) -> None:
        await self.hot.open()

    async def close(self) -> None:
        await self.hot.close()
        await self.system.dispose()
        await self.reader.dispose()

    @asynccontextmanager
    async def read(self, organization: str) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one organization's rows only (`reader`, SET LOCAL)."""
        with unavailable("store"):
            async with self._used[self.reader], self.reader.begin() as connection:
                await connection.execute(
                    text("select set_config('app.org', :org, true)"), {"org": organization}
                )
                yield connection

    @asynccontextmanager
    async def work(self) -> AsyncIterator[AsyncConnection]:
        """A transaction of the service's own work, over all organizations (`system`)."""
        with unavailable("store"):
            async with self._used[self.system], self.system.begin() as connection:
                yield connection

    async def connect(self) -> psycopg.AsyncConnection[Any]:
        """A connection outside all pools, which its owner closes; each statement is committed."""
        return await psycopg.AsyncConnection.connect(
            self.conninfo("system"), autocommit=True, prepare_threshold=0
        )

    async def rest_for_ever(self) -> None:
        """Closes what nobody needed for a while: idle connections cost the server megabytes."""
        while True:
            await asyncio.sleep(REST_S)
            for engine, used in self._used.items():
                pool = cast(AsyncAdaptedQueuePool, engine.pool)
                needed, used.most = used.most, used.now
                if not used.now and pool.checkedin() > needed:
                    await engine.dispose()


class _Used:
    """How many connections are in use, and the most at once since somebody looked."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def __aenter__(self) -> None:
        self.now += 1
        self.most = max(self.most, self.now)

    async def __aexit__(self, *_: object) -> None:
        self.now -= 1


class unavailable:  # noqa: N801 - reads as a sentence: `with unavailable("store"):`
    """Turns a lost server into a refusal that names the part."""

    def __init__(self, part: str) -> None:
        self.part = part

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        lost = isinstance(error, LOST) or (
            isinstance(error, DBAPIError) and error.connection_invalidated
        )
        if lost and error is not None:
            raise Unavailable(f"the {self.part} does not answer", part=self.part) from error
