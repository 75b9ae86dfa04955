"""Asks a full trail: each filter many times, by the code that answers `GET /v1/audit/events`."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from benchmarks import trail_events as made
from benchmarks.figures import percentile
from benchmarks.trail_events import LARGE, Span
from benchmarks.trail_store import Store
from libs.common.database import Database
from services.audit.contract import FindEntries
from services.audit.daykeys import DayKeys
from services.audit.people import People
from services.audit.searching import find_entries

LIMIT = 50
HOURS = 24 * 90
TIMES = 40
Random = random.Random
STARTED, ENDED = "executor.event.execution-started", "executor.event.effect-ended"
REFUSED = "identity.event.sign-in-refused"


class WrongAnswer(Exception):
    """The search did not find what was entered."""


@dataclass(frozen=True)
class Filter:
    """`asks` makes a query with values of its own each time; `share` of all entries fit it."""

    name: str
    asks: Callable[[Span, Random], dict[str, Any]]
    share: float

    def finds(self, count: int) -> int:
        """At least so many on a page."""
        return min(LIMIT, int(self.share * count * 0.6))


def _always(**asked: Any) -> Callable[[Span, Random], dict[str, Any]]:
    return lambda span, some: asked


FILTERS: Sequence[Filter] = (
    # What many, few and no entries fit; the hard ones are pairs of which each alone fits many.
    Filter("newest", _always(), 0.9),
    Filter("time: an hour", lambda s, r: _hour(s, r), 0.9 / HOURS),
    Filter("actor: one of 2,000", lambda s, r: {"actor": [_person(r)]}, 0.2 / made.PEOPLE),
    Filter("actor: the busiest", _always(actor=[made.BUSY]), 0.05),
    Filter("actor: a service", _always(actor=[made.SERVICE]), 0.6),
    Filter("type: a frequent one", _always(event_type=[STARTED]), 0.2),
    Filter("type: a rare one", _always(event_type=[made.RARE]), 1 / made.RARE_EVERY),
    Filter("type: a pattern", _always(event_type=["identity.*"]), 0.05),
    Filter("category", _always(category=["authentication"]), 0.02),
    Filter("resource", lambda s, r: _resource(s, r), 0),
    Filter("address", lambda s, r: {"address": [made.address_of(_person(r))]}, 0.2 / made.PEOPLE),
    Filter("outcome: success", _always(outcome=["success"]), 0.8),
    Filter("outcome: refused", _always(outcome=["refused"]), 0.004),
    Filter("actor, time", lambda s, r: {"actor": [made.BUSY]} | _hour(s, r), 0.05 / HOURS),
    Filter("actor, outcome", _always(actor=[made.BUSY], outcome=["failure"]), 0.001),
    Filter("type, outcome", _always(event_type=[ENDED], outcome=["failure"]), 0.009),
    Filter("rare type, outcome", _always(event_type=[made.RARE], outcome=["success"]),
           1 / made.RARE_EVERY),
    Filter("service, type", _always(actor=[made.SERVICE], event_type=[REFUSED]), 0.002),
    Filter("busiest, rare type", _always(actor=[made.BUSY], event_type=[made.RARE]), 0),
    Filter("two that never meet", _always(event_type=[STARTED], outcome=["failure"]), 0),
    Filter("few, many, never", _always(event_type=[REFUSED], outcome=["success"]), 0),
    Filter("three, never", _always(actor=[made.SERVICE], event_type=[STARTED], outcome=["failure"]),
           0),
    Filter("nobody", lambda s, r: {"actor": [f"per_{r.random()}"]}, 0),
    Filter("no such resource", lambda s, r: {"resource": [f"exe_{r.random()}"]}, 0),
    Filter("no such address", lambda s, r: {"address": [f"203.0.113.{r.randrange(255)}"]}, 0),
)  # fmt: skip


def _hour(span: Span, some: Random) -> dict[str, Any]:
    begin = span.time_of(int(some.random() * 0.99 * span.count))
    return {"from_at": begin, "to_at": begin + timedelta(hours=1)}


def _person(some: Random) -> str:
    return f"per_{some.randrange(made.PEOPLE)}"


def _resource(span: Span, some: Random) -> dict[str, Any]:
    while made.organization_of(n := some.randrange(span.count)) != LARGE:
        continue
    return {"resource": [made.resource_of(n)]}


@dataclass(frozen=True)
class Searcher:
    """What a process of audit has to answer with."""

    database: Database
    keys: DayKeys
    people: People

    async def ask(self, query: FindEntries) -> tuple[float, list[Any], str | None]:
        """Milliseconds, the entries, and where the next page begins."""
        begun = time.perf_counter()
        async with self.database.read(LARGE) as connection:
            page = await find_entries(connection, self.keys, self.people, query)
        return (time.perf_counter() - begun) * 1000, list(page.data), page.next

    async def floor(self) -> float:
        """Milliseconds of a statement that reads nothing."""
        begun = time.perf_counter()
        async with self.database.read(LARGE) as connection:
            await connection.execute(text("select 1"))
        return (time.perf_counter() - begun) * 1000


async def search(store: Store, span: Span, times: int = TIMES) -> dict[str, Any]:
    """Per filter the best, p50, p95 and max in milliseconds, and how much was found; `first` is the
    first question of a new process, `floor` a statement that reads nothing."""
    searcher, some = Searcher(store.database(2), store.keys(), store.people()), Random(4)
    await searcher.database.open()
    try:
        first, _, _ = await searcher.ask(FindEntries(actor=[made.BUSY], limit=LIMIT))
        floors = sorted([await searcher.floor() for _ in range(times)])
        found = {f.name: await _measured(searcher, f, span, some, times) for f in FILTERS}
    finally:
        await searcher.database.close()
    return {"first_ms": first, "floor_ms": percentile(floors, 50), "filters": found}


async def _measured(
    searcher: Searcher, filter_: Filter, span: Span, some: Random, times: int
) -> dict[str, float]:
    took, least = [], LIMIT
    for _ in range(times):
        query = FindEntries(limit=LIMIT, **filter_.asks(span, some))
        ms, entries, _ = await searcher.ask(query)
        took.append(ms)
        least = min(least, len(entries))
    if least < filter_.finds(span.count):
        raise WrongAnswer(f"{filter_.name}: {least} entries, not {filter_.finds(span.count)}")
    took.sort()
    return {
        "best_ms": took[0], "p50_ms": percentile(took, 50), "p95_ms": percentile(took, 95),
        "max_ms": took[-1], "found": least,
    }  # fmt: skip
