"""Tables of the executor that are no views: timers with leases, waiting inboxes, the quota."""

from datetime import datetime
from typing import Annotated

from sqlalchemy import Column, Computed, Index, MetaData, Table, func
from sqlalchemy.dialects.postgresql import TIMESTAMP

from libs.common.fields import (
    Count,
    DataClass,
    ExecutionId,
    Meaning,
    Moment,
    OrganizationId,
    Word,
)  # fmt: skip
from libs.common.tables import column

metadata = MetaData()
Inbox = Annotated[str, Meaning(DataClass.NONE, "reply inbox")]
Process = Annotated[str, Meaning(DataClass.NONE, "process of this installation")]

timers = Table(
    "timers",
    metadata,
    column("execution", ExecutionId, primary_key=True),
    column("org", OrganizationId),
    column("due_at", Moment),
    column("leased_until", Moment),
    column("owner", Process | None),
    column("epoch", Count, server_default="0"),
    Column(
        "ready_at", TIMESTAMP(timezone=True),
        Computed(func.greatest(Column("due_at"), Column("leased_until")), persisted=True),
        info={"meaning": Meaning(DataClass.NONE, "time"), "field": datetime},
    ),
    Index("timers_by_org", "org", "ready_at"),
    Index("timers_ready", "ready_at"),
    Index("timers_by_owner", "owner"),
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

quota = Table(
    "quota",
    metadata,
    column("org", OrganizationId, primary_key=True),
    column("month", Word, primary_key=True),
    column("used", Count, server_default="0"),
    info={"append": True},
)
