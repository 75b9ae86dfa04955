"""What applies the rules of retention: small bites, each its own transaction, by who leads.

A rule that says for how many days has a sweep (`tests/unit/common/test_sweeps.py`). Nothing goes
before its time; what is late is seen, as a lag of its rule.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from libs.common import clock, telemetry
from libs.common.database import LOST, Database
from libs.common.errors import DomainError

log = logging.getLogger(__name__)
FIRST_S, EVERY_S = 2.0, 600.0
PAUSE_S = 0.05
TURN_S = 30.0
AGAIN_S = 5.0
BITE = 500


@dataclass(frozen=True, slots=True)
class Sweep:
    """How one rule of retention is applied.

    `run` deletes at most one bite of what is over at the moment, and answers how many rows went;
    it is repeated until it answers 0. `overdue` answers since when the oldest row that is still
    there should have been gone, None where nothing is overdue.
    """

    rule: str
    run: Callable[[Database, datetime], Awaitable[int]]
    overdue: Callable[[Database, datetime], Awaitable[datetime | None]]


async def never_overdue(database: Database, at: datetime) -> datetime | None:
    """Of a sweep by number, which no moment says anything about."""
    return None


def sql_sweep(
    rule: str, delete: str, oldest: str, keep_days: int | timedelta, bite: int = BITE
) -> Sweep:
    """A sweep in two statements, for a rule that counts from a moment in each row.

    `delete` takes `:before` and, to stop there, `:bite`; what it returns, or else deletes, is
    counted. `oldest` answers the least of those moments, of the rows that are subject to the rule;
    it may take `:before` as well, and answer nothing where all are younger.
    """
    keep = keep_days if isinstance(keep_days, timedelta) else timedelta(days=keep_days)
    deleting, finding = text(delete), text(oldest)

    async def run(database: Database, at: datetime) -> int:
        async with database.work() as db:
            found = await db.execute(deleting, {"before": at - keep, "bite": bite})
            return len(found.all()) if found.returns_rows else found.rowcount

    async def overdue(database: Database, at: datetime) -> datetime | None:
        async with database.work() as db:
            first: datetime | None = (await db.execute(finding, {"before": at - keep})).scalar()
        return None if first is None or first + keep >= at else first + keep

    return Sweep(rule, run, overdue)


@dataclass(slots=True)
class Swept:
    """What the last turn of a rule did: rows that went, since when something is overdue."""

    gone: int = 0
    overdue: datetime | None = None
    error: str | None = None
    unfinished: bool = False


@contextmanager
def _said(rule: str, swept: Swept) -> Iterator[None]:
    """What fails is logged and noted; it stops nothing else."""
    try:
        yield
    except Exception as error:
        swept.error = type(error).__name__
        log.error("a sweep of retention failed", extra={"rule": rule, "cause": str(error)})


class Sweeping:
    """All sweeps of a service in turn, every ten minutes; run by the holder of its lease."""

    def __init__(
        self, database: Database, sweeps: Sequence[Sweep], every_s: float = EVERY_S
    ) -> None:
        self._database, self._sweeps, self._every_s = database, sweeps, every_s

    async def run(self) -> None:
        """For ever. A rule that has much to do lets the others have their turn in between; after
        a failure all are tried again sooner, with longer and longer pauses."""
        await asyncio.sleep(min(FIRST_S, self._every_s))  # who begins to lead has more urgent work
        again_s = AGAIN_S
        while True:
            turns = (await self.turn()).values()
            if any(swept.error for swept in turns):
                await asyncio.sleep(min(again_s, self._every_s))
                again_s *= 2
            else:
                again_s = AGAIN_S
                if not any(swept.unfinished for swept in turns):
                    await asyncio.sleep(self._every_s)

    async def turn(self) -> dict[str, Swept]:
        """Once through all sweeps; what was done by rule. One that fails stops no other."""
        turns: dict[str, Swept] = {}
        for sweep in self._sweeps:
            await self._apply(sweep, turns.setdefault(sweep.rule, Swept()))
        for rule, swept in turns.items():
            await self._show(rule, swept)
        return turns

    async def _apply(self, sweep: Sweep, swept: Swept) -> None:
        with _said(sweep.rule, swept):
            await self._bites(sweep, swept)
        with _said(sweep.rule, swept):
            since = await sweep.overdue(self._database, clock.now())
            if since is not None:
                swept.overdue = min(since, swept.overdue or since)

    async def _bites(self, sweep: Sweep, swept: Swept) -> None:
        until = time.monotonic() + TURN_S
        while gone := await sweep.run(self._database, clock.now()):
            swept.gone += gone
            await asyncio.sleep(PAUSE_S)
            if time.monotonic() > until:
                swept.unfinished = True
                return

    async def _show(self, rule: str, swept: Swept) -> None:
        """As a metric, and in a table for who asks later."""
        lag_s = (clock.now() - swept.overdue).total_seconds() if swept.overdue else 0.0
        name = f"{self._database.service}.{rule}"
        telemetry.RETENTION_LAG.labels(name).set(max(0.0, lag_s))
        telemetry.RETENTION_FAILED.labels(name).set(bool(swept.error))
        try:
            async with self._database.work() as db:
                await db.execute(text(_NOTE), {"rule": rule, "gone": swept.gone,
                                 "overdue": swept.overdue, "error": swept.error})  # fmt: skip
        except (DomainError, *LOST) as error:
            log.warning("a turn of retention is not noted", extra={"cause": type(error).__name__})


_NOTE = """
insert into sweeps as s (rule, at, gone, overdue, error)
values (:rule, wall_clock(), :gone, :overdue, :error)
on conflict (rule) do update set at = excluded.at, gone = excluded.gone,
  overdue = excluded.overdue, error = excluded.error
"""
