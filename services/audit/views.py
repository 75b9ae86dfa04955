"""The trail, which only grows, and the gaps that were found in it; what both show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    Index,
    MetaData,
    Row,
    Select,
    Table,
    UniqueConstraint,
    insert,
    or_,
    select,
    text,
    update,
)  # fmt: skip
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import ids
from libs.common.fields import (
    Actor,
    Count,
    EventId,
    Moment,
    OrganizationId,
    RequestId,
    StreamName,
    Version,
    Word,
)  # fmt: skip
from libs.common.messages import Recorded
from libs.common.pages import Page, page_of, seek
from libs.common.readers import Projection
from libs.common.tables import column
from services.audit.contract import (
    PRODUCERS,
    SERVICE,
    EntryShown,
    FindEntries,
    Gap,
    GapClosed,
    GapFound,
)
from services.audit.domain import category_of, kind_of, resource_of

READER = "trail_"
metadata = MetaData()
entries = Table(
    "entries", metadata,
    column("id", EventId, primary_key=True), column("producer", Word),
    column("number", Count), column("incarnation", Count), column("org", OrganizationId),
    column("type", Word), column("category", Word), column("stream", StreamName),
    column("resource", StreamName), column("version", Version), column("actor", Actor),
    column("request_id", RequestId | None), column("at", Moment),
    UniqueConstraint("producer", "number", "incarnation"),
    Index("entries_of_organization", "org", "at", "id"),
    Index("entries_of_resource", "org", "resource", "at"),
    info={"rights": "insert"},
)  # fmt: skip
gaps = Table(
    "gaps", metadata,
    column("producer", Word), column("incarnation", Count), column("first", Count),
    column("last", Count), column("found_at", Moment), column("closed_at", Moment | None),
)  # fmt: skip
ENTER = """
insert into entries (id, producer, number, incarnation, org, type, category, stream, resource,
  version, actor, request_id, at)
select r.id, b.producer, r.number, b.incarnation, r.org, r.type, r.category, r.stream, r.resource,
  r.version, r.actor, r.request_id, r.at
from (select %s::text as producer, incarnation from readers where name = %s) as b,
  json_to_recordset(%s::json) as r(id text, number bigint, org text, type text, category text,
    stream text, resource text, version bigint, actor text, request_id text, at timestamptz)
on conflict do nothing
"""
COUNTS = """
select substr(r.name, :skip) producer, r.incarnation, r.n,
  (select count(*) from (select distinct e.number from entries e
    where e.producer = substr(r.name, :skip) and e.number <= r.n) as numbers) as counted
from readers r where r.name like :readers order by 1
"""
gap_view = Projection("gaps", version=1, tables=[gaps])


class Entry(msgspec.Struct):
    """One row of the trail on its way into the table: ids, never what was processed."""

    id: str
    number: int
    org: str
    type: str
    category: str
    stream: str
    resource: str
    version: int
    actor: str
    request_id: str | None
    at: datetime


async def enter(connection: AsyncConnection, producer: str, events: Sequence[Recorded]) -> None:
    """Enters a batch with one statement; what stands there already is left as it is.

    The incarnation of the numbers is the one that the producer's reader has in this transaction.
    """
    rows = [
        Entry(
            id=public_id(e.id), number=e.sequence, org=e.organization, type=e.type,
            category=category_of(e.type), stream=e.subject, resource=resource_of(e.subject),
            version=e.streamversion, actor=e.actor, request_id=e.requestid or None, at=e.time,
        )
        for e in events
    ]  # fmt: skip
    batch = msgspec.json.encode(rows).decode()
    await connection.exec_driver_sql(ENTER, (producer, f"{READER}{producer}", batch))


def public_id(event_id: str) -> str:
    return ids.public("evt", ids.uuid.UUID(event_id))


@gap_view.on(GapFound)
async def _found(connection: AsyncConnection, event: GapFound, recorded: Recorded) -> None:
    await connection.execute(
        insert(gaps).values(
            producer=event.producer, incarnation=event.incarnation, first=event.first,
            last=event.last, found_at=recorded.time,
        )
    )  # fmt: skip


@gap_view.on(GapClosed)
async def _closed(connection: AsyncConnection, event: GapClosed, recorded: Recorded) -> None:
    await connection.execute(
        update(gaps)
        .where(
            gaps.c.producer == event.producer, gaps.c.incarnation == event.incarnation,
            gaps.c.first == event.first,
        )
        .values(closed_at=recorded.time)
    )  # fmt: skip


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
