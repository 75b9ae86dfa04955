"""Takes public events and who listens to them, from the own log and from other services.

The executor has very many events of its own, so of these only what somebody listens to is kept.
Whoever writes that somebody begins to (a version was published) looks back in the log under a lock
that those who take own events share: one of the two sees the other, whichever comes first. Other
services' events and customers' own are few, and all of them are kept for their time.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import clock, ids
from libs.common.messages import EVENTS, Recorded
from libs.common.readers import Projection
from services.billing import contract as billing
from services.executor.arrivals import (
    INSERT,
    KEEP_DAYS,
    custom_row,
    is_custom,
    is_public,
    matches,
    patterns_of,
    row_of,
)
from services.executor.contract import SERVICE, ExecutionFinished, WaitBegan, WaitEnded
from services.identity import contract as identity
from services.subscriptions import contract as subscriptions
from services.workflows import contract as workflows
from services.workflows.contract import (
    ScheduleTicked,
    WorkflowArchived,
    WorkflowPublished,
    trigger_key,
)

LOCK = 4712
CLOCKS = timedelta(seconds=1)  # how much the clocks of two databases may differ
LOOK_BACK = timedelta(minutes=10)
LOOK_BACK_PAGE, LOOK_BACK_PAGES = 2000, 100

WANTED = text("""
select distinct e.org, e.type from json_to_recordset(cast(:rows as json))
  as e(org text, type text, pattern text)
where exists (select 1 from listeners l where l.org = e.org and l.type = e.pattern)
""")
LISTEN = text("""
insert into listeners (owner, place, org, kind, type, version, since, fresh_at)
select r.owner, r.place, r.org, r.kind, r.type, r.version, r.since,
  case when r.kind <> 'awaits' then wall_clock() end
from json_to_recordset(cast(:rows as json)) as r(owner text, place text, org text, kind text,
  type text, version bigint, since timestamptz)
on conflict (owner, place) do update set version = excluded.version,
  since = case when listeners.type = excluded.type and listeners.kind = 'trigger'
    then listeners.since else excluded.since end,
  fresh_at = case when listeners.type = excluded.type and listeners.kind = 'trigger'
    then listeners.fresh_at else excluded.fresh_at end, type = excluded.type
""")
STOP_WAITS = text("""
delete from listeners l using json_to_recordset(cast(:rows as json)) as r(owner text, place text)
where l.owner = r.owner and (l.place = r.place or r.place is null)
""")
DROP_TRIGGERS = text("""
delete from listeners where owner = :workflow and kind = 'trigger' and not place = any(:left)
""")
TICK = text("""
insert into ticks (execution, org, workflow, schedule, version, due_at)
values (:execution, :org, :workflow, :schedule, :version, :due_at) on conflict do nothing
""")
OWN_LOG = text("""
select n, id::text as id, org, stream, version, type, data_version, at, actor, request_id,
  data::text as data from log
where partition = 0 and n > :low and n <= :high and org = :org and type = any(:types)
  and at >= :since order by n
""")


def _rows(rows: list[dict[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()


# -- the own log -----------------------------------------------------------------------------------


async def keep_own(db: AsyncConnection, events: Sequence[Recorded]) -> None:
    """After the view of executions took the same events; rebuilding that view does no harm."""
    await db.execute(text(f"select pg_advisory_xact_lock_shared({LOCK})"))
    await _follow_waits(db, events)
    oldest = clock.now() - timedelta(days=KEEP_DAYS)
    mine = [e for e in events if e.time > oldest and is_public(e)]
    wanted = await _wanted(db, {(e.organization, e.type) for e in mine})
    rows = [row_of(e) for e in mine if (e.organization, e.type) in wanted]
    rows += [custom_row(e) for e in mine if is_custom(e)]
    await _insert(db, rows)


async def _insert(db: AsyncConnection, rows: Iterable[dict[str, Any] | None]) -> None:
    if there := [row for row in rows if row is not None]:
        await db.execute(INSERT, {"rows": _rows(there)})


async def _wanted(db: AsyncConnection, kinds: set[tuple[str, str]]) -> set[tuple[str, str]]:
    if not kinds:
        return set()
    asked = [
        {"org": org, "type": kind, "pattern": pattern}
        for org, kind in kinds
        for pattern in patterns_of(kind)
    ]
    found = await db.execute(WANTED, {"rows": _rows(asked)})
    return {(row.org, row.type) for row in found}


async def _follow_waits(db: AsyncConnection, events: Sequence[Recorded]) -> None:
    """Who waits for an event right now, as this batch leaves it."""
    began: dict[tuple[str, str], dict[str, Any]] = {}
    over: list[dict[str, Any]] = []
    for e in events:
        owner = e.subject.rpartition("-")[2]
        if e.type == WaitBegan.type and (said := e.json())["kind"] == "event":
            began[owner, said["path"]] = {
                "owner": owner, "place": said["path"], "org": e.organization, "kind": "wait",
                "type": said["event_type"], "version": None,
                "since": said["began_at"] or e.time,
            }  # fmt: skip
        elif e.type == WaitEnded.type:
            place = e.json()["path"]
            began.pop((owner, place), None)
            over.append({"owner": owner, "place": place})
        elif e.type == ExecutionFinished.type and e.streamversion > 2:
            began = {key: row for key, row in began.items() if key[0] != owner}
            over.append({"owner": owner, "place": None})
    if over:
        await db.execute(STOP_WAITS, {"rows": _rows(over)})
    if began:
        await db.execute(LISTEN, {"rows": _rows(list(began.values()))})


# -- other services --------------------------------------------------------------------------------


async def keep_foreign(db: AsyncConnection, events: Sequence[Recorded]) -> None:
    oldest = clock.now() - timedelta(days=KEEP_DAYS)
    await _insert(db, [row_of(e) for e in events if e.time > oldest])


async def keep_of_workflows(db: AsyncConnection, events: Sequence[Recorded]) -> None:
    """Who listens, which instants are due, and the public events among them."""
    for recorded in events:
        match recorded.type:
            case WorkflowPublished.type:
                await _publish(db, recorded)
            case WorkflowArchived.type:
                workflow = recorded.json()["workflow_id"]
                await db.execute(DROP_TRIGGERS, {"workflow": workflow, "left": []})
            case ScheduleTicked.type:
                await _tick(db, recorded)
            case _:
                continue
    await keep_foreign(db, events)


async def _publish(db: AsyncConnection, recorded: Recorded) -> None:
    event = recorded.event()
    assert isinstance(event, WorkflowPublished)
    since = recorded.time - CLOCKS
    base = {
        "owner": event.workflow_id, "org": recorded.organization,
        "version": event.workflow_version, "since": since,
    }  # fmt: skip
    rows = [
        base | {"place": trigger_key(t.id, place), "kind": "trigger", "type": t.event_type}
        for place, t in enumerate(event.triggers)
        if t.event_type is not None
    ]
    left = [row["place"] for row in rows]
    rows += [
        base | {"place": f"awaits:{kind}", "kind": "awaits", "type": kind} for kind in event.awaits
    ]
    own = {row["type"] for row in rows if row["type"].startswith(SERVICE)}
    if own:
        await db.execute(text(f"select pg_advisory_xact_lock({LOCK})"))
    await db.execute(DROP_TRIGGERS, {"workflow": event.workflow_id, "left": left})
    if rows:
        await db.execute(LISTEN, {"rows": _rows(rows)})
    if own and clock.now() - since < LOOK_BACK:
        await _look_back(db, recorded.organization, own, since)


async def _look_back(db: AsyncConnection, org: str, wanted: set[str], since: datetime) -> None:
    """Own events that came since, and that nobody kept because nobody listened then."""
    types = [name for name, kind in EVENTS.items()
             if kind.public and any(matches(pattern, name) for pattern in wanted)]  # fmt: skip
    high = (await db.execute(text("select n from heads"))).scalar_one()
    for _ in range(LOOK_BACK_PAGES):
        low = max(0, high - LOOK_BACK_PAGE)
        first = await db.execute(
            text("select at from log where partition = 0 and n > :low order by n limit 1"),
            {"low": low},
        )
        found = await db.execute(
            OWN_LOG, {"low": low, "high": high, "org": org, "types": types, "since": since}
        )
        await _insert(db, [row_of(_recorded(row)) for row in found])
        oldest = first.scalar()
        if low == 0 or oldest is None or oldest < since:
            return
        high = low


def _recorded(row: Any) -> Recorded:
    return Recorded(
        id=row.id, source=f"/services/{SERVICE}", type=row.type, subject=row.stream, time=row.at,
        organization=row.org, streamversion=row.version, sequence=row.n, actor=row.actor,
        data=msgspec.Raw(row.data.encode()), dataversion=row.data_version,
        requestid=row.request_id,
    )  # fmt: skip


async def _tick(db: AsyncConnection, recorded: Recorded) -> None:
    event = recorded.event()
    assert isinstance(event, ScheduleTicked)
    if event.decision != "start":
        return
    org, due = recorded.organization, recorded.json()["due_at"]
    await db.execute(TICK, {
        "execution": ids.derived("exe", org, "schedule", event.workflow_id, event.schedule, due),
        "org": org, "workflow": event.workflow_id, "schedule": event.schedule,
        "version": event.workflow_version, "due_at": event.due_at,
    })  # fmt: skip


def _inbox(producer: str) -> Projection:
    projection = Projection(f"events_{producer}", producer=producer)
    own = producer == workflows.SERVICE
    projection.whole(keep_of_workflows if own else keep_foreign)
    return projection


INBOXES = tuple(
    map(_inbox, (identity.SERVICE, workflows.SERVICE, billing.SERVICE, subscriptions.SERVICE))
)
