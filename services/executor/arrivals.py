"""Tables of events: what came, who listens to what, and which instants are to start something.

They are no view: rows are kept for a time, and each says itself (`fresh_at`) whether it was dealt
with. What deals with them is `distributing.py`.
"""

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import Index, Table, text

from libs.common.database import Database
from libs.common.envelope import public_event
from libs.common.fields import (
    Count,
    EventId,
    ExecutionId,
    Moment,
    OpenJson,
    OrganizationId,
    StepPath,
    StreamName,
    Version,
    Word,
    WorkflowId,
    indirect,
)
from libs.common.messages import EVENTS, Recorded
from libs.common.sweeping import BITE, Sweep, never_overdue, sql_sweep
from libs.common.tables import column
from services.executor.contract import CustomEventEmitted
from services.executor.tables import metadata

KEEP_DAYS = 30
KEEP_OF_A_TYPE = 10_000
CUSTOM_SOURCE = "/v1/events"
Owner = Annotated[str, indirect("a workflow or an execution")]
CLOCK = text("wall_clock()")

# `event` is the CloudEvent as customers see it; the data of a customer's own one stays sealed in
# the log, in `stream`. `workflow` and `depth` are of the execution that it is about.
arrivals = Table(
    "arrivals", metadata,
    column("id", EventId, primary_key=True), column("org", OrganizationId),
    column("type", Word), column("at", Moment),
    column("arrived_at", Moment, server_default=CLOCK), column("event", OpenJson),
    column("stream", StreamName | None), column("depth", Count),
    column("workflow", WorkflowId | None), column("fresh_at", Moment | None, server_default=CLOCK),
    Index("arrivals_of_type", "org", "type", "arrived_at"),
    Index("arrivals_of", "org", "arrived_at"), Index("arrivals_by_time", "at"),
    Index("arrivals_fresh", "org", "fresh_at", postgresql_where=text("fresh_at is not null")),
    info={"hidden": True},
)  # fmt: skip

# `kind`: trigger and awaits are of a published version (owner: the workflow), wait is a step that
# waits right now (owner: the execution). `awaits` only says that the type is to be kept.
listeners = Table(
    "listeners", metadata,
    column("owner", Owner, primary_key=True), column("place", StepPath, primary_key=True),
    column("org", OrganizationId), column("kind", Word), column("type", Word),
    column("version", Version | None), column("since", Moment),
    column("fresh_at", Moment | None), Index("listeners_to", "org", "type"),
    Index("listeners_fresh", "fresh_at", postgresql_where=text("fresh_at is not null")),
    info={"hidden": True},
)  # fmt: skip

# Instants of schedules that start something and are not on the queue yet.
ticks = Table(
    "ticks", metadata,
    column("execution", ExecutionId, primary_key=True), column("org", OrganizationId),
    column("workflow", WorkflowId), column("schedule", Word), column("version", Version),
    column("due_at", Moment), column("at", Moment, server_default=CLOCK),
    Index("ticks_in_order", "at"),
    info={"hidden": True},
)  # fmt: skip

# The execution that an event is about is in the view of executions by now, with its depth.
INSERT = text(f"""
insert into arrivals (id, org, type, at, event, stream, depth, workflow)
select r.id, r.org, r.type, r.at, r.event, r.stream,
  coalesce(r.depth, (x.trigger ->> 'depth')::int, 0), x.workflow
from json_to_recordset(cast(:rows as json)) as r(id text, org text, type text, at timestamptz,
  event json, stream text, depth int, execution text)
left join executions x on x.execution = r.execution
where r.at > wall_clock() - interval '{KEEP_DAYS} days'
on conflict (id) do nothing
""")


def matches(pattern: str, name: str) -> bool:
    """A type that is listened to: a whole name, or the beginning of names with `*` behind it."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def patterns_of(name: str) -> list[str]:
    """Every pattern that means this type, so that an index finds who listens."""
    head = "custom." if name.startswith("custom.") else ".event."
    fixed = name.find(head) + len(head)
    return [name, *(f"{name[:end]}*" for end in range(fixed, len(name) + 1))]


def is_public(recorded: Recorded) -> bool:
    kind = EVENTS.get(recorded.type)
    return kind is not None and kind.public and recorded.organization != "instance"


def row_of(recorded: Recorded) -> dict[str, Any] | None:
    """What is kept of a public event."""
    event = public_event(recorded)
    if event is None:
        return None
    aggregate, _, key = recorded.subject.partition("-")
    execution = key.rpartition("-")[2] if aggregate == "execution" else None
    return {
        "id": event["id"], "org": recorded.organization, "type": recorded.type,
        "at": recorded.time, "event": event, "stream": None, "depth": None,
        "execution": execution,
    }  # fmt: skip


def custom_row(recorded: Recorded) -> dict[str, Any]:
    """A customer's own event under its own type; its data is opened when somebody looks."""
    said = recorded.json()
    event = {
        "specversion": "1.0", "id": said["event_id"], "type": said["event_type"],
        "source": CUSTOM_SOURCE, "subject": recorded.organization,
        "time": (public_event(recorded) or {})["time"], "datacontenttype": "application/json",
        "organization": recorded.organization,
    }  # fmt: skip
    return {
        "id": said["event_id"], "org": recorded.organization, "type": said["event_type"],
        "at": recorded.time, "event": event, "stream": recorded.subject, "depth": said["depth"],
        "execution": None,
    }  # fmt: skip


def is_custom(recorded: Recorded) -> bool:
    return recorded.type == CustomEventEmitted.type


MANY = text("select org, type from arrivals group by org, type having count(*) > :max")
ONLY_NEWEST = text("""
delete from arrivals where id in (
  select id from arrivals where org = :org and type = :type and fresh_at is null and arrived_at <
    (select arrived_at from arrivals where org = :org and type = :type
     order by arrived_at desc offset :max limit 1) limit :bite)
""")


async def only_newest(database: Database, at: datetime) -> int:
    """A bite of what is more than is kept of a type."""
    async with database.work() as db:
        for of in (await db.execute(MANY, {"max": KEEP_OF_A_TYPE})).all():
            more = {"org": of.org, "type": of.type, "max": KEEP_OF_A_TYPE, "bite": BITE}
            if gone := (await db.execute(ONLY_NEWEST, more)).rowcount:
                return gone
    return 0


SWEEPS = (
    sql_sweep(
        "arrivals",
        "delete from arrivals where id in (select id from arrivals"
        " where at < :before and fresh_at is null limit :bite)",
        "select at from arrivals where at < :before and fresh_at is null order by at limit 1",
        KEEP_DAYS,
    ),
    Sweep("arrivals", only_newest, never_overdue),
)
