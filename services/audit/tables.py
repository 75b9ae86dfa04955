"""The trail, which only grows, and the gaps that were found in it."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import (
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    insert,
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
from libs.common.readers import Projection
from libs.common.tables import column
from services.audit.contract import (
    GapClosed,
    GapFound,
)
from services.audit.domain import category_of, resource_of

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
