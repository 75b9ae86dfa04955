"""When the executor looks for what is due: by the next row, or by what it wrote itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest

from libs.common.database import Database
from libs.common.testing import eventually
from services.executor import leases
from services.executor.leases import NEXT, Claimed, Leases


class _Timers:
    """A database in whose `timers` nothing is due, and the next row so many seconds away."""

    def __init__(self, next_s: float | None) -> None:
        self.hot, self.next_s, self.claims = self, next_s, 0
        self._answer: list[tuple[float | None]] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["_Timers"]:
        yield self

    async def execute(self, statement: bytes, _: Any = None) -> "_Timers":
        self.claims += statement is not NEXT
        self._answer = [(self.next_s,)] if statement is NEXT else []
        return self

    async def fetchall(self) -> list[Any]:
        return []

    async def fetchone(self) -> tuple[float | None]:
        return self._answer[0]


@pytest.fixture(autouse=True)
def never_just_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LOOK_S", 3600.0)


@asynccontextmanager
async def _claiming(timers: _Timers) -> AsyncIterator[Leases]:
    async def nobody(_: list[Claimed]) -> None:
        raise AssertionError("nothing is due")

    found = Leases(cast(Database, timers), "me", lambda: 1, nobody)
    task = asyncio.create_task(found.claim_for_ever())
    try:
        yield found
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _claimed(timers: _Timers, times: int) -> None:
    async def look() -> int:
        return timers.claims

    await eventually(look, lambda claims: claims >= times)


async def test_it_looks_again_when_the_next_row_is_due() -> None:
    async with _claiming(timers := _Timers(0.2)):
        await _claimed(timers, 3)


async def test_a_row_that_is_due_and_was_left_is_tried_again() -> None:
    async with _claiming(timers := _Timers(-5.0)):
        await _claimed(timers, 3)


async def test_a_row_that_this_process_wrote_is_looked_for_when_it_is_due() -> None:
    async with _claiming(timers := _Timers(None)) as found:
        await _claimed(timers, 1)
        found.due_in(0.1)
        await _claimed(timers, 2)


async def test_a_row_written_while_it_looks_is_not_forgotten() -> None:
    async with _claiming(timers := _Timers(None)) as found:
        await asyncio.sleep(0)  # it has begun, and has not come to sleep
        found.due_in(0.0)
        await _claimed(timers, 2)


async def test_a_busy_process_claims_seldom_but_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LOOK_S", 0.4)
    async with _claiming(timers := _Timers(-5.0)) as found:
        begun = time.monotonic()

        async def work() -> None:
            while True:
                time.sleep(leases.BUSY_S * 1.5)  # noqa: ASYNC251 - that is what it is about
                found.wake.set()
                await asyncio.sleep(0)

        working = asyncio.create_task(work())
        await _claimed(timers, 4)
        most = (time.monotonic() - begun) / leases.LOOK_S + 2
        claims = timers.claims
        working.cancel()
        assert claims <= most
        await _claimed(timers, claims + 3)
