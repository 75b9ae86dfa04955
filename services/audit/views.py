"""What audit shows: entries of an organization, and how complete the trail is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Row,
    Select,
    or_,
    select,
    text,
)  # fmt: skip
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.pages import Page, page_of, seek
from services.audit.contract import (
    PRODUCERS,
    SERVICE,
    EntryShown,
    FindEntries,
    Gap,
    TakenShown,
)
from services.audit.domain import kind_of
from services.audit.tables import READER, entries, gaps

COUNTS = """
select substr(r.name, :skip) producer, r.incarnation, r.n,
  (select count(*) from (select distinct e.number from entries e
    where e.producer = substr(r.name, :skip) and e.number <= r.n) as numbers) as counted
from readers r where r.name like :readers order by 1
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
        text("select count(*) from entries where producer = :p and incarnation = :i"
             " and number between :first and :last"),
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


async def find_entries(
    connection: AsyncConnection, organization: str, query: FindEntries
) -> Page[EntryShown]:
    statement = _filtered(select(entries).where(entries.c.org == organization), query)
    statement = seek(statement, query, entries.c.at, entries.c.id)
    found = (await connection.execute(statement)).all()
    return page_of(found, query, lambda r: (r.at, r.id), [entry_shown(row) for row in found])


def _filtered(statement: Select[Any], query: FindEntries) -> Any:
    if query.event_type is not None:
        kinds = [
            entries.c.type.startswith(kind[:-1], autoescape=True)
            if kind.endswith("*")
            else entries.c.type == kind
            for kind in query.event_type
        ]
        statement = statement.where(or_(*kinds))
    if query.actor is not None:
        statement = statement.where(entries.c.actor.in_(query.actor))
    if query.resource is not None:
        statement = statement.where(entries.c.resource.in_(query.resource))
    if query.from_at is not None:
        statement = statement.where(entries.c.at >= query.from_at)
    if query.to_at is not None:
        statement = statement.where(entries.c.at < query.to_at)
    return statement


async def find_entry(
    connection: AsyncConnection, organization: str, event_id: str
) -> EntryShown | None:
    found = await connection.execute(
        select(entries).where(entries.c.org == organization, entries.c.id == event_id)
    )
    row = found.first()
    return entry_shown(row) if row is not None else None


def entry_shown(row: Row[Any]) -> EntryShown:
    return EntryShown(
        id=row.id, type=row.type, category=row.category, producer=row.producer,
        number=row.number, resource_kind=kind_of(row.stream), resource=row.resource,
        version=row.version, actor=row.actor, request_id=row.request_id, occurred_at=row.at,
    )  # fmt: skip
