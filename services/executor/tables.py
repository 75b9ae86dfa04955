"""Tables of the executor that are no views: timers with leases, waiting inboxes, the quota."""

from datetime import datetime
from typing import Annotated

from sqlalchemy import Column, Computed, Index, MetaData, Table, case, func, literal_column
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP

from libs.common.fields import (
    Count,
    Digest,
    ExecutionId,
    Flag,
    Moment,
    Number,
    OrganizationId,
    SealedJson,
    Version,
    Word,
    plain,
)  # fmt: skip
from libs.common.tables import column

metadata = MetaData()
Inbox = Annotated[str, plain("reply inbox")]
# Rows of history leave every day; with PostgreSQL's own measure they would be dead for days.
CLEANED_SOON = {"autovacuum_vacuum_scale_factor": 0.02}
Process = Annotated[str, plain("process of this installation")]

timers = Table(
    "timers",
    metadata,
    column("execution", ExecutionId, primary_key=True),
    column("org", OrganizationId),
    column("due_at", Moment),
    column("leased_until", Moment),
    column("owner", Process | None),
    column("epoch", Count, server_default="0"),
    column("entered", Flag, server_default="true"),
    column("ckey", Digest | None),
    column("climit", Count | None),
    column("priority", Number, server_default="0"),
    column("since", Moment, server_default=func.now()),
    column("nudged", Flag, server_default="false"),
    Column(
        "ready_at", TIMESTAMP(timezone=True),
        Computed(
            case(
                (Column("entered"), func.greatest(Column("due_at"), Column("leased_until"))),
                else_=literal_column("'infinity'"),
            ),
            persisted=True,
        ),
        nullable=False, info={"meaning": plain("time"), "field": datetime},
    ),
    Index("timers_by_org", "org", "priority", "ready_at"),
    Index("timers_ready", "ready_at"),
    Index(
        "timers_by_key", "org", "ckey", "since",
        postgresql_where=literal_column("ckey is not null"),
    ),
    Index("timers_held", "org", postgresql_where=literal_column("owner is not null")),
    info={"append": True},
)  # fmt: skip

replies = Table(
    "replies",
    metadata,
    column("execution", ExecutionId, primary_key=True),
    column("inbox", Inbox, primary_key=True),
    column("org", OrganizationId),
    column("until", Moment),
    info={"append": True, "hidden": True},
)

# Stretches of the logs of long executions (snapshots.py); a lost row is read from the log.
snapshots = Table(
    "snapshots",
    metadata,
    column("execution", ExecutionId, primary_key=True),
    column("upto", Version, primary_key=True),
    column("org", OrganizationId),
    column("body", SealedJson),
    info={"hidden": True},
)

# Executions that nobody is to see any more, until their events have left the log: from `leaves_at`
# on (indexed by migration 0005), as soon as everybody has their numbers.
forgotten = Table(
    "forgotten",
    metadata,
    column("execution", ExecutionId, primary_key=True),
    column("org", OrganizationId),
    column("started_at", Moment),
    column("leaves_at", Moment),
    info={"hidden": True},
)

# Which execution gathers the inputs of a debounce key; deleted when it begins.
collecting = Table(
    "collecting",
    metadata,
    column("org", OrganizationId, primary_key=True),
    column("key", Digest, primary_key=True),
    column("execution", ExecutionId),
    info={"append": True},
)

# The last `limit` instants at which starts of a rate key may begin, as a ring; `n` counts them.
rates = Table(
    "rates",
    metadata,
    column("org", OrganizationId, primary_key=True),
    column("key", Digest, primary_key=True),
    column("n", Count, server_default="0"),
    Column(
        "at", ARRAY(TIMESTAMP(timezone=True)), nullable=False, server_default="{}",
        info={"meaning": plain("time"), "field": datetime},
    ),
    info={"append": True, "hidden": True},
)  # fmt: skip

quota = Table(
    "quota",
    metadata,
    column("org", OrganizationId, primary_key=True),
    column("month", Word, primary_key=True),
    column("used", Count, server_default="0"),
    info={"append": True},
)
