"""Finds entries in the sealed details: by blind indexes, newest day first, opened and compared.

The index says which rows may fit; what is shown was opened, and every filter holds on it.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.lists import place_of
from libs.common.pages import Page, page_of
from libs.trail.canonical import day_of
from services.audit.blind import Blinder
from services.audit.contract import EntryShown, FindEntries
from services.audit.daykeys import DayKeys
from services.audit.detail import Opened, unseal
from services.audit.domain import category_of
from services.audit.people import People, is_person

# The first of these that is asked for leads to the rows, for it is in the fewest of them.
LEADING = ("id", "resource", "address", "actor", "outcome", "type")
DAYS_AT_FIRST, DAYS_FACTOR = 1, 4
ROWS_MIN = 64
LAST_SEQ = 2**62
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
    """What an entry must be; None where anything fits. `types` are whole names."""

    values: Mapping[str, frozenset[str]]
    from_at: datetime | None = None
    to_at: datetime | None = None

    def fits(self, entry: EntryShown) -> bool:
        if self.from_at is not None and entry.occurred_at < self.from_at:
            return False
        if self.to_at is not None and entry.occurred_at >= self.to_at:
            return False
        return all(getattr(entry, name) in values for name, values in self.values.items())


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
        self._keys.refresh()
        trail = (await self._connection.execute(text(OWN))).scalar_one_or_none()
        if trail is None or any(not values for values in wanted.values.values()):
            return []
        found: list[Found] = []
        async for row in self._candidates(trail, wanted, limit, place):
            opened = await unseal(row.sealed, self._keys.of(row.day), trail, row.seq, self._people)
            if opened is not None and wanted.fits(entry := shown(opened)):
                found.append(Found(row.day, row.seq, opened, entry))
                if len(found) == limit:
                    break
        return found

    async def _candidates(
        self, trail: UUID, wanted: Wanted, limit: int, place: tuple[int, int] | None
    ) -> AsyncIterator[Any]:
        """Rows that the index gives, a few days at first and ever more at once."""
        days = await self._days(wanted, place)
        indexes = await self._indexes(trail, wanted.values, days)
        at, size, rows_max = 0, DAYS_AT_FIRST, max(ROWS_MIN, limit)
        while at < len(days):
            some = days[at : at + size]
            rows = await self._rows(trail, some, indexes, place, rows_max)
            for row in rows:
                yield row
            if len(rows) == rows_max:
                place = rows[-1].day, rows[-1].seq
                at = days.index(place[0])
            else:
                at, size = at + size, size * DAYS_FACTOR

    async def _days(self, wanted: Wanted, place: tuple[int, int] | None) -> list[int]:
        """Kept days on which it may have been entered: an event's own day, or, when its clock was
        ahead, the day on which it came."""
        now = (await self._connection.execute(text("select now()"))).scalar_one()
        first, last = self._keys.oldest, day_of(now)
        if wanted.from_at is not None:
            first = max(first, min(day_of(wanted.from_at), last) - 1)
        if wanted.to_at is not None:
            last = min(last, day_of(wanted.to_at))
        if place is not None:
            first, last = (max(first, place[0]), last) if self._ascending else (
                first, min(last, place[0])
            )  # fmt: skip
        days = list(range(first, last + 1))
        return days if self._ascending else days[::-1]

    async def _indexes(
        self, trail: UUID, values: Mapping[str, frozenset[str]], days: Sequence[int]
    ) -> dict[str, dict[int, list[int]]]:
        """Per column and day the blind indexes of what is wanted."""
        persons = await self._people.of(filter(is_person, values.get("actor", ())))
        found: dict[str, dict[int, list[int]]] = {name: {} for name in LEADING if name in values}
        for day in days:
            blinder = Blinder(self._keys.of(day), trail)
            for name in found:
                found[name][day] = [
                    blinder.person(value, key)
                    if name == "actor" and (key := persons.get(value)) is not None
                    else blinder.once(name, value)
                    for value in values[name]
                ]
        return found

    async def _rows(
        self, trail: UUID, days: Sequence[int], indexes: Mapping[str, Mapping[int, list[int]]],
        place: tuple[int, int] | None, limit: int,
    ) -> Sequence[Any]:  # fmt: skip
        statement, names = _statement(list(indexes), ascending=self._ascending)
        probes = list(_probes(days, next(iter(indexes.values()), None), place, self._ascending))
        values: dict[str, Any] = {
            "days": [day for day, _, _ in probes], "blinds": [blind for _, blind, _ in probes],
            "bounds": [bound for _, _, bound in probes], "limit": limit,
        } | ({} if indexes else {"trail": trail})  # fmt: skip
        for name in names:
            values[name] = [blind for day in days for blind in indexes[name][day]]
        return (await self._connection.execute(text(statement), values)).all()


def _probes(
    days: Sequence[int], leading: Mapping[int, list[int]] | None, place: tuple[int, int] | None,
    ascending: bool,
) -> Iterator[tuple[int, int, int]]:  # fmt: skip
    """Day, blind index and the number behind which to begin there."""
    for day in days:
        bound = -1 if ascending else LAST_SEQ
        if place is not None and day == place[0]:
            bound = place[1]
        for blind in leading[day] if leading is not None else (0,):
            yield day, blind, bound


def _statement(columns: Sequence[str], *, ascending: bool) -> tuple[str, list[str]]:
    """One probe of an index per day and value; the other columns are compared on the way.

    The planner has no statistics of these columns, so one index only fits what is asked: that of
    the leading column, or the trail's own. `+ 0` keeps it from the others.
    """
    others = list(columns[1:])
    order, beyond = ("asc", ">") if ascending else ("desc", "<")
    where = f" and d.{columns[0]} = w.blind" if columns else " and d.trail = :trail"
    where += "".join(f" and d.{name} + 0 = any(cast(:{name} as bigint[]))" for name in others)
    return (
        "select f.day, f.seq, f.sealed from unnest(cast(:days as bigint[]),"
        " cast(:blinds as bigint[]), cast(:bounds as bigint[])) as w(day, blind, bound)"
        " cross join lateral (select d.day, d.seq, d.sealed from details d where d.day = w.day"
        f" and d.seq {beyond} w.bound{where}"
        f" order by d.seq {order} limit :limit) f"
        f" order by f.day {order}, f.seq {order} limit :limit"
    ), others


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
    wanted = Wanted(await _values(connection, query), query.from_at, query.to_at)
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


async def _values(connection: AsyncConnection, query: FindEntries) -> dict[str, frozenset[str]]:
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
