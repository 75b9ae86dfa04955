"""The trail's tables: leaves for ever, sealed details by day; and the gaps that were found.

What the writer may do is in each table's `info`. `audit_detail` and its partitions belong to a role
of their own that cannot log in, because who owns a table can do everything to it.
"""

from typing import Annotated
from uuid import UUID

from sqlalchemy import Index, MetaData, Table, insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.fields import (
    Count,
    DataClass,
    Moment,
    OrganizationId,
    Subject,
    Word,
    in_record,
    indirect,
    plain,
)
from libs.common.messages import Recorded
from libs.common.readers import Projection
from libs.common.tables import column
from services.audit.contract import GapClosed, GapFound

READER = "trail_"
TrailKey = Annotated[UUID, plain("audit trail")]
DayNumber = Annotated[int, plain("day, counted from 1970-01-01")]
Hashes = Annotated[bytes, plain("hashes of audit entries")]
Packed = Annotated[bytes, plain("days and classes of audit entries")]
SealedDetail = Annotated[
    bytes, in_record(DataClass.DIRECT, "audit detail", Subject.PERSON, sealed=True)
]
BlindIndex = Annotated[int, indirect("blind index of an audit entry", Subject.PERSON)]

metadata = MetaData()
trails = Table(
    # The only link between an organization and its trail; without it the trail names nobody.
    "trails", metadata,
    column("org", OrganizationId, primary_key=True), column("trail", TrailKey, unique=True),
    info={"rights": "insert"},
)  # fmt: skip
trail_heads = Table(
    # Derived from the leaves. Its rows are locked in the order of `trail`.
    "trail_heads", metadata,
    column("trail", TrailKey, primary_key=True), column("size", Count), column("frontier", Hashes),
    info={"rights": "update"}, postgresql_with={"fillfactor": "50"},  # changed in its page
)  # fmt: skip
audit_leaf = Table(
    # One row per batch and trail: 32 bytes an entry, 4 of its day and 1 of its class.
    "audit_leaf", metadata,
    column("trail", TrailKey, primary_key=True), column("first", Count, primary_key=True),
    column("count", Count), column("leaves", Hashes), column("bodies", Hashes),
    column("days", Packed), column("classes", Packed),
    info={"rights": "insert"},
)  # fmt: skip
audit_tree = Table(
    # The roots of whole subtrees of 256^level leaves: what tiles and proofs are made of.
    "audit_tree", metadata,
    column("trail", TrailKey, primary_key=True), column("level", Count, primary_key=True),
    column("idx", Count, primary_key=True), column("hash", Hashes),
    info={"rights": "insert"},
)  # fmt: skip
audit_detail = Table(
    # Blind indexes hold the trail in them, so they need no second column to search by.
    "audit_detail", metadata,
    column("trail", TrailKey, primary_key=True), column("seq", Count, primary_key=True),
    column("day", DayNumber, primary_key=True), column("sealed", SealedDetail),
    column("id", BlindIndex), column("type", BlindIndex), column("actor", BlindIndex),
    column("resource", BlindIndex), column("address", BlindIndex | None),
    column("outcome", BlindIndex),
    column("slot", BlindIndex, server_default="0"),  # its index is made by a migration
    Index("audit_detail_by_id", "id"), Index("audit_detail_by_type", "type", "seq"),
    Index("audit_detail_by_actor", "actor", "seq"),
    Index("audit_detail_by_resource", "resource", "seq"),
    Index(
        "audit_detail_by_address", "address", "seq", postgresql_where=text("address is not null")
    ),
    Index("audit_detail_by_outcome", "outcome", "seq"),
    postgresql_partition_by="LIST (day)",
    info={"rights": "insert", "owner": "anonymizer"},
)  # fmt: skip
event_types = Table(
    # The names of event types that were ever entered, of no trail: patterns are looked up here.
    "event_types", metadata, column("type", Word, primary_key=True),
    info={"rights": "insert", "shared": True},
)  # fmt: skip
taken = Table(
    # Which numbers of a producer stand in the trail: one row per batch, `entered` for how many
    # entries were made (fewer when an earlier incarnation had brought some of them).
    "taken", metadata,
    column("producer", Word, primary_key=True), column("incarnation", Count, primary_key=True),
    column("last", Count, primary_key=True), column("first", Count), column("entered", Count),
    column("at", Moment, server_default=text("wall_clock()")),
    info={"rights": "insert"},
)  # fmt: skip
gaps = Table(
    "gaps", metadata,
    column("producer", Word), column("incarnation", Count), column("first", Count),
    column("last", Count), column("found_at", Moment), column("closed_at", Moment | None),
)  # fmt: skip
gap_view = Projection("gaps", version=1, tables=[gaps])


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
