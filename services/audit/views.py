"""How complete the trail is: what was taken of each producer, and which numbers are missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.contract import PRODUCERS, SERVICE, Gap, TakenShown
from services.audit.tables import READER, gaps

# From what the writer noted when it entered: one row per batch, ranges without a common number.
COUNTS = """
select substr(r.name, :skip) producer, r.incarnation, r.n,
  (select coalesce(sum(t.last - t.first + 1), 0)::bigint from taken t
    where t.producer = substr(r.name, :skip) and t.incarnation = r.incarnation and t.last <= r.n)
  as counted
from readers r where r.name like :readers order by 1
"""
BETWEEN = """
select coalesce(sum(least(t.last, :last) - greatest(t.first, :first) + 1), 0)::bigint from taken t
where t.producer = :p and t.incarnation = :i and t.last >= :first and t.first <= :last
"""


async def open_gaps(connection: AsyncConnection) -> Sequence[Row[Any]]:
    found = await connection.execute(
        select(gaps).where(gaps.c.closed_at.is_(None)).order_by(gaps.c.producer, gaps.c.first)
    )
    return found.all()


async def count_between(
    connection: AsyncConnection, producer: str, incarnation: int, first: int, last: int
) -> int:
    found = await connection.execute(
        text(BETWEEN),
        {"p": producer, "i": incarnation, "first": first, "last": last},
    )  # fmt: skip
    return found.scalar_one()


@dataclass(frozen=True, slots=True)
class Taken:
    """How far the trail of one producer goes, counted from the entries themselves."""

    producer: str
    incarnation: int
    last: int
    count: int
    gaps: list[Gap]


async def find_taken(connection: AsyncConnection) -> list[Taken]:
    """All producers, also those of which nothing was taken yet."""
    counts = await connection.execute(
        text(COUNTS), {"skip": len(READER) + 1, "readers": READER.replace("_", "\\_") + "%"}
    )
    missing = await open_gaps(connection)
    rows = {row.producer: (row.incarnation, row.n, row.counted) for row in counts}
    return [
        Taken(
            producer, *rows.get(producer, (0, 0, 0)),
            [
                Gap(first=gap.first, last=gap.last, found_at=gap.found_at)
                for gap in missing
                if gap.producer == producer
            ],
        )
        for producer in (*PRODUCERS, SERVICE)
    ]  # fmt: skip


async def taken_of(connection: AsyncConnection, producer: str) -> TakenShown:
    """Without counting: its reader passes no number that it has not entered, but one that the
    producer's log itself does not hold."""
    row = (await connection.execute(
        text("select incarnation, n from readers where name = :name"), {"name": READER + producer}
    )).first()  # fmt: skip
    if row is None:
        return TakenShown(incarnation=0, upto=0)
    return TakenShown(incarnation=row.incarnation, upto=row.n)
