"""Finds entries in the sealed details: by blind indexes, newest day first, opened and compared.

The index says which rows may fit; what is shown was opened, and every filter holds on it.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import clock
from libs.common.lists import place_of
from libs.common.pages import Page, page_of
from libs.trail.canonical import day_of
from services.audit.blind import NO_SLOT, SLOT_S, Blinder
from services.audit.contract import EntryShown, FindEntries
from services.audit.daykeys import DayForgotten, DayKeys
from services.audit.detail import Opened, unseal
from services.audit.domain import category_of
from services.audit.people import People, is_person
from services.audit.probing import Probes

DAYS_AT_FIRST, DAYS_FACTOR = 1, 10
ROWS_MIN, ROWS_MAX = 64, 1024
DAY_S = 86_400
OWN = "select trail from trails where org = current_setting('app.org', true)"
KINDS = "select type from event_types"


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that was found, and where it stands."""

    day: int
    seq: int
    opened: Opened
    shown: EntryShown


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an entry must be; None where anything fits. `types` are whole names, `days` the first
    and the last day on which it was entered."""

    values: Mapping[str, frozenset[str]]
    from_at: datetime | None = None
    to_at: datetime | None = None
    days: tuple[int, int] | None = None

    def fits(self, entry: Opened) -> bool:
        """Before it is shown, for a search opens more than it shows."""
        time = datetime.fromisoformat(entry["time"] or "")
        if self.from_at is not None and time < self.from_at:
            return False
        if self.to_at is not None and time >= self.to_at:
            return False
        return all(entry[name] in values for name, values in self.values.items())

    def slots(self, day: int) -> list[str] | None:
        """The stretches of ten minutes that are asked for of a day; None for all of it."""
        first, last = day * DAY_S, (day + 1) * DAY_S
        begin = first if self.from_at is None else max(first, int(self.from_at.timestamp()))
        end = last if self.to_at is None else min(last, ceil(self.to_at.timestamp()))
        if (begin, end) == (first, last):
            return None
        return [str(n) for n in range((begin - first) // SLOT_S, -((first - end) // SLOT_S))]


class Search:
    """Reads as the caller's organization: `connection` is one of `database.read`."""

    def __init__(
        self, connection: AsyncConnection, keys: DayKeys, people: People, *, ascending: bool = False
    ) -> None:
        self._connection, self._keys, self._people = connection, keys, people
        self._ascending = ascending

    async def find(
        self, wanted: Wanted, limit: int, place: tuple[int, int] | None = None
    ) -> list[Found]:
        """Up to `limit` entries behind a place (day and number), in the order of both."""
        trail = (await self._connection.execute(text(OWN))).scalar_one_or_none()
        if trail is None or any(not values for values in wanted.values.values()):
            return []
        while True:
            self._keys.refresh()
            try:
                return await self._find(trail, wanted, limit, place)
            except DayForgotten:
                continue  # just now: the next look is among the days that are kept

    async def _find(
        self, trail: UUID, wanted: Wanted, limit: int, place: tuple[int, int] | None
    ) -> list[Found]:
        found: list[Found] = []
        async for row in self._candidates(trail, wanted, limit, place):
            opened = await unseal(row.sealed, self._keys.of(row.day), trail, row.seq, self._people)
            if opened is not None and wanted.fits(opened):
                found.append(Found(row.day, row.seq, opened, shown(opened)))
                if len(found) == limit:
                    break
        return found

    async def _candidates(
        self, trail: UUID, wanted: Wanted, limit: int, place: tuple[int, int] | None
    ) -> AsyncIterator[Any]:
        """Rows that the index gives, a few days at first and ever more at once."""
        days = await self._days(wanted, place)
        indexes = await self._indexes(trail, wanted, days)
        probes = Probes(self._connection, trail, indexes, ascending=self._ascending)
        at, size, rows_max = 0, DAYS_AT_FIRST, max(ROWS_MIN, limit)
        while at < len(days):
            some = probes.alike(days[at : at + size])
            rows = await probes.rows(some, place, rows_max)
            for row in rows:
                yield row
            if len(rows) == rows_max:
                place = rows[-1].day, rows[-1].seq
                at, rows_max = days.index(place[0]), min(rows_max * 2, ROWS_MAX)
            else:
                at, size = at + len(some), size * DAYS_FACTOR

    async def _days(self, wanted: Wanted, place: tuple[int, int] | None) -> list[int]:
        """Kept days on which it may have been entered: an event's own day, or, when its clock was
        ahead, the day on which it came."""
        first, last = self._keys.oldest, day_of(clock.now())
        if wanted.from_at is not None:
            first = max(first, min(day_of(wanted.from_at), last) - 1)
        if wanted.to_at is not None:
            last = min(last, day_of(wanted.to_at))
        if wanted.days is not None:
            first, last = max(first, wanted.days[0]), min(last, wanted.days[1])
        if place is not None:
            first, last = (max(first, place[0]), last) if self._ascending else (
                first, min(last, place[0])
            )  # fmt: skip
        days = list(range(first, last + 1))
        return days if self._ascending else days[::-1]

    async def _indexes(
        self, trail: UUID, wanted: Wanted, days: Sequence[int]
    ) -> dict[str, dict[int, list[int]]]:
        """Per column and day the blind indexes of what is wanted."""
        values = wanted.values
        persons = await self._people.of(filter(is_person, values.get("actor", ())))
        found: dict[str, dict[int, list[int]]] = {name: {} for name in values}
        for day in days:
            blinder = Blinder.of(self._keys.of(day), trail)
            for name in values:
                found[name][day] = [
                    blinder.person(value, key)
                    if name == "actor" and (key := persons.get(value)) is not None
                    else blinder.once(name, value)
                    for value in values[name]
                ]
            if (slots := wanted.slots(day)) is not None:
                blinds = [blinder.word("slot", slot) for slot in slots]
                found.setdefault("slot", {})[day] = [*blinds, NO_SLOT]
        return found


def shown(opened: Opened) -> EntryShown:
    type_, number = opened["type"] or "", opened["number"] or ""
    return EntryShown.model_validate({
        "id": opened["id"], "type": type_, "category": category_of(type_),
        "producer": opened["producer"], "number": int(number.partition(":")[2]),
        "resource_kind": opened.kind, "resource": opened["resource"],
        "version": int(opened["version"] or 0), "actor": opened["actor"],
        "outcome": opened["outcome"], "address": opened["address"], "user_agent": opened["agent"],
        "request_id": opened["request"], "occurred_at": opened["time"],
    })  # fmt: skip


async def find_entries(
    connection: AsyncConnection, keys: DayKeys, people: People, query: FindEntries
) -> Page[EntryShown]:
    """A page of the entries of the organization that the connection is for."""
    wanted = Wanted(await values_of(connection, query), query.from_at, query.to_at)
    place = place_of(query.after, (int, int)) if query.after is not None else None
    search = Search(connection, keys, people, ascending=query.order == "asc")
    at = (int(place[0]), int(place[1])) if place is not None else None
    found = await search.find(wanted, query.limit + 1, at)
    return page_of(found, query, lambda f: (f.day, f.seq), [f.shown for f in found])


async def find_entry(
    connection: AsyncConnection, keys: DayKeys, people: People, event_id: str
) -> Found | None:
    """The entry of an event, in whichever kept day it stands."""
    wanted = Wanted({"id": frozenset({event_id})})
    found = await Search(connection, keys, people).find(wanted, 1)
    return found[0] if found else None


async def values_of(connection: AsyncConnection, query: FindEntries) -> dict[str, frozenset[str]]:
    """What is asked for, by column; patterns and categories become the names of types."""
    values: dict[str, frozenset[str]] = {
        name: frozenset(given)
        for name in ("actor", "resource", "address", "outcome")
        if (given := getattr(query, name)) is not None
    }
    if query.event_type is None and query.category is None:
        return values
    known = (await connection.execute(text(KINDS))).scalars().all()
    types = frozenset(known)
    if query.event_type is not None:
        types = frozenset(t for t in known if any(_matches(t, p) for p in query.event_type))
    if query.category is not None:
        types = frozenset(t for t in types if category_of(t) in query.category)
    return values | {"type": types}


def _matches(event_type: str, pattern: str) -> bool:
    return event_type.startswith(pattern[:-1]) if pattern.endswith("*") else event_type == pattern
