"""Probes of the sealed details: one of an index per day and value, in the order of entry.

The planner has no statistics of these columns and is told how to go: along one index in its order,
that of the leading column or the trail's own (`+ 0` keeps it from the others, which are compared on
the way). Where several columns each fit many rows the newest few are looked at so; when they do not
suffice, what fits together is rare, and an index on both (pairing.py) says where it is, or the
indexes are laid over each other before any row is looked at. Those with a condition in common (the
number) the planner would not, so it is kept out there.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

LAST_SEQ = 2**62
# In this order they lead to the rows: the first two are in few of them, the others are counted.
LEADING = ("id", "resource", "address", "actor", "outcome", "type", "slot")
RARE = frozenset({"id", "resource"})
SAMPLE_DAYS, SAMPLE_ROWS = 3, 300
# Said twice, for the planner: it looks at these days only, and joins by each of them.
WEIGH = """
select count(*) from unnest(cast(:days as bigint[]), cast(:blinds as bigint[])) as w(day, blind)
cross join lateral (select 1 from details d where d.day = w.day and d.day = any(:those)
  and d.{column} = w.blind limit :most) f
"""
PROBE = """
select f.day, f.seq, f.sealed from {probes}
cross join lateral (select d.day, d.seq, d.sealed from details d
  where d.day = w.day and d.day = any(:those) and d.seq{free} {beyond} w.bound{where}
  order by d.seq {order} limit :limit) f
order by f.day {order}, f.seq {order} limit :limit
"""
# Of one day. Where a probe was cut short, nothing beyond its end is known.
NEWEST = """
with c as materialized (
  select w.blind, f.* from {probes}
  cross join lateral (select d.day, d.seq, d.sealed, {fits} as fits from details d
    where d.day = w.day and d.day = any(:those) and d.seq {beyond} w.bound
      and {first} order by d.seq {order} limit :most) f),
cut as (select {worst}(e.last) as at from (select {least}(seq) as last, count(*) as many from c
  group by blind) e where e.many = :most)
select c.day, c.seq, c.sealed from c cross join cut
where c.fits and (cut.at is null or not c.seq {beyond} cut.at)
order by c.seq {order} limit :limit
"""
ALONG, OVER = "enable_indexscan", "enable_bitmapscan"
GO = f"""
select set_config('enable_seqscan', 'off', true), set_config('enable_indexonlyscan', 'off', true),
  set_config('{ALONG}', :along, true), set_config('enable_sort', :over, true),
  set_config('{OVER}', :over, true)
"""
NEWEST_ROWS, FEW = 600, 90
Indexes = Mapping[str, Mapping[int, Sequence[int]]]
"""Per column and day the blind indexes that fit; a day that a column lacks fits with any."""


class Probes:
    """Of one trail; `connection` sees the details of one organization."""

    def __init__(
        self, connection: AsyncConnection, trail: UUID, indexes: Indexes, *, ascending: bool
    ) -> None:
        self._connection, self._trail, self._indexes = connection, trail, indexes
        self._ascending = ascending
        self._orders: dict[frozenset[str], list[str]] = {}
        self._many: dict[frozenset[str], bool] = {}
        self._way = ""

    def alike(self, days: Sequence[int]) -> list[int]:
        """As many of the days from the first on as are asked for by the same columns."""
        columns = self._columns(days[0])
        return list(takewhile(lambda day: self._columns(day) == columns, days))

    async def rows(
        self, days: Sequence[int], place: tuple[int, int] | None, limit: int
    ) -> Sequence[Any]:
        """The first so many of these days, which are alike, behind a place."""
        columns = await self._order(days)
        leading = self._indexes[columns[0]] if columns else None
        probes = list(self._probes(days, leading, place))
        values: dict[str, Any] = {
            "days": [day for day, _, _ in probes], "blinds": [blind for _, blind, _ in probes],
            "bounds": [bound for _, _, bound in probes], "limit": limit, "those": list(days),
        } | ({} if columns else {"trail": self._trail})  # fmt: skip
        for name in columns[1:]:
            values[name] = _of_each([self._indexes[name][day] for day, _, _ in probes])
        if not self._many.get(frozenset(columns)):
            return await self._ask(PROBE, ALONG, columns, values)
        if len(days) == 1:
            most = {"most": max(20, NEWEST_ROWS // len(probes))}
            found = await self._ask(NEWEST, ALONG, columns, values | most)
            if len(found) == limit:
                return found
        return await self._ask(PROBE, OVER, columns, values)

    async def _ask(
        self, statement: str, way: str, columns: Sequence[str], values: dict[str, Any]
    ) -> Sequence[Any]:
        await self._go(way)
        kept = " + 0" if way == ALONG else ""
        one = {name: isinstance(values[name][0], int) for name in columns[1:]}
        others = [
            f"d.{name}{kept} = "
            + (f"w.{name}" if one[name] else f"any(cast(w.{name} as bigint[]))")
            for name in columns[1:]
        ]
        first = f"d.{columns[0]} = w.blind" if columns else "d.trail = :trail"
        names = ["day", "blind", "bound", *columns[1:]]
        arrays = [f"cast(:{name}s as bigint[])" for name in names[:3]]
        arrays += [f"cast(:{name} as {'bigint' if one[name] else 'text'}[])" for name in one]
        said = statement.format(
            probes=f"unnest({', '.join(arrays)}) as w({', '.join(names)})",
            where="".join(f" and {condition}" for condition in (first, *others)),
            first=first, fits=" and ".join(others), worst="min" if self._ascending else "max",
            least="max" if self._ascending else "min", order="asc" if self._ascending else "desc",
            beyond=">" if self._ascending else "<", free="" if way == ALONG else " + 0",
        )  # fmt: skip
        return (await self._connection.execute(text(said), values)).all()

    async def _go(self, way: str) -> None:
        if way != self._way:
            words = (
                {"along": "on", "over": "off"} if way == ALONG else {"along": "off", "over": "on"}
            )
            await self._connection.execute(text(GO), words)
            self._way = way

    def _columns(self, day: int) -> frozenset[str]:
        return frozenset(name for name, known in self._indexes.items() if day in known)

    async def _order(self, days: Sequence[int]) -> list[str]:
        """The columns that are asked for, the rarest first."""
        asked = self._columns(days[0])
        found = self._orders.get(asked)
        if found is None:
            found = [name for name in LEADING if name in asked]
            if len(found) > 1 and not asked & RARE:
                weights = await self._weights(found)
                found.sort(key=weights.__getitem__)
                self._many[asked] = weights[found[0]] > FEW
            self._orders[asked] = found
        return found

    async def _weights(self, columns: Sequence[str]) -> dict[str, int]:
        """From the first few days that are asked for; from all when these have nothing at all."""
        days = list(self._indexes[columns[0]])
        for some in (days[:SAMPLE_DAYS], days):
            weights = {name: await self._weight(name, some) for name in columns}
            if any(weights.values()) or len(some) == len(days):
                break
        return weights

    async def _weight(self, column: str, days: Sequence[int]) -> int:
        """How many rows of some days have it; beyond some hundred it is many."""
        known = self._indexes[column]
        pairs = [(day, blind) for day in days for blind in known.get(day, ())]
        values = {
            "days": [day for day, _ in pairs], "blinds": [blind for _, blind in pairs],
            "those": list(days), "most": SAMPLE_ROWS,
        }  # fmt: skip
        await self._go(ALONG)
        statement = text(WEIGH.format(column=column))
        return (await self._connection.execute(statement, values)).scalar_one()

    def _probes(
        self, days: Sequence[int], leading: Mapping[int, Sequence[int]] | None,
        place: tuple[int, int] | None,
    ) -> Iterator[tuple[int, int, int]]:  # fmt: skip
        """Day, blind index and the number behind which to begin there."""
        for day in days:
            bound = -1 if self._ascending else LAST_SEQ
            if place is not None and day == place[0]:
                bound = place[1]
            for blind in leading[day] if leading is not None else (0,):
                yield day, blind, bound


def _of_each(blinds: Sequence[Sequence[int]]) -> list[int] | list[str]:
    """Of each probe its value; or its values as the server reads an array, for an array of arrays
    would need all of one length."""
    if all(len(some) == 1 for some in blinds):
        return [some[0] for some in blinds]
    return [f"{{{','.join(map(str, some))}}}" for some in blinds]
