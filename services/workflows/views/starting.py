"""The rows of triggers: who listens at which path, which schedule is due when.

A schedule's next instant follows from the log alone: from the moment its workflow was published
or switched on, and from the last instant that was decided.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.messages import Recorded
from libs.language.cron import next_after
from services.workflows.contract import ScheduleTicked, TriggerFact, WorkflowPublished, trigger_key
from services.workflows.views import tables as t


async def published(db: AsyncConnection, event: WorkflowPublished, recorded: Recorded) -> None:
    """The triggers of the newest version, and no others, lead to this workflow."""
    org, rows = recorded.organization, []
    for place, fact in enumerate(event.triggers):
        key = trigger_key(fact.id, place)
        rows.append({
            "org": org, "trigger": f"{event.workflow_id}:{key}", "workflow_id": event.workflow_id,
            "key": key, "kind": fact.kind, "path": fact.path, "version": event.workflow_version,
            "fact": fact.model_dump(mode="json"), "published_at": event.published_at,
        })  # fmt: skip
    paths = [fact.path for fact in event.triggers if fact.path is not None]
    mine = or_(t.triggers.c.workflow_id == event.workflow_id, t.triggers.c.path.in_(paths))
    await db.execute(delete(t.triggers).where(t.triggers.c.org == org, mine))
    if rows:
        await db.execute(insert(t.triggers), rows)
    await _close(db, event.workflow_id, recorded)
    await begin(db, event.workflow_id, recorded)


async def _close(db: AsyncConnection, workflow_id: str, recorded: Recorded) -> None:
    """Instants up to now that nobody decided yet are still owed by the version before."""
    s = t.schedules.c
    mine = and_(s.org == recorded.organization, s.workflow_id == workflow_id)
    await db.execute(delete(t.schedules).where(mine, s.next_at > recorded.time))
    still = update(t.schedules).where(mine, s.until.is_(None))
    await db.execute(still.values(until=recorded.time))


async def begin(db: AsyncConnection, workflow_id: str, recorded: Recorded) -> None:
    """The schedules of the newest version count from now on, if the workflow is on."""
    w, org = t.workflows.c, recorded.organization
    found = await db.execute(select(t.workflows).where(w.org == org, w.workflow_id == workflow_id))
    row = found.one()
    if not row.enabled or row.archived:
        return
    for place, each in enumerate(row.triggers):
        fact = TriggerFact.model_validate(each)
        if fact.kind == "schedule":
            key = trigger_key(fact.id, place)
            await _from(db, org, workflow_id, key, row.published, fact, recorded.time)


async def _from(
    db: AsyncConnection, org: str, workflow_id: str, key: str, version: int, fact: TriggerFact,
    after: datetime,
) -> None:  # fmt: skip
    """Counts from `after`, and from the last instant that was decided, should a clock go back.

    A schedule without a next instant has no row.
    """
    assert fact.cron is not None
    assert fact.timezone is not None
    k = t.ticks.c
    last = select(k.due_at).where(k.org == org, k.workflow_id == workflow_id, k.schedule == key)
    decided = (await db.execute(last)).scalar_one_or_none()
    next_at = next_after(fact.cron, fact.timezone, max(after, decided or after))
    if next_at is None:
        return
    row = {
        "cron": fact.cron, "timezone": fact.timezone, "missed": fact.missed, "next_at": next_at,
        "until": None,
    }  # fmt: skip
    made = upsert(t.schedules).values(
        org=org, workflow_id=workflow_id, schedule=key, version=version, **row
    )
    await db.execute(
        made.on_conflict_do_update(index_elements=t.schedules.primary_key.columns, set_=row)
    )


async def end(db: AsyncConnection, workflow_id: str, recorded: Recorded) -> None:
    """Switched off or put away: nothing is due any more."""
    s = t.schedules.c
    await db.execute(
        delete(t.schedules).where(
            s.org == recorded.organization, s.workflow_id == workflow_id
        )
    )  # fmt: skip


async def ticked(db: AsyncConnection, event: ScheduleTicked, recorded: Recorded) -> None:
    """All rows of the schedule go on behind the instant; one whose time is over goes away."""
    values = {
        "stream_version": recorded.streamversion, "due_at": event.due_at,
        "decision": event.decision, "missed_count": event.missed_count,
        "decided_at": recorded.time,
    }  # fmt: skip
    named = {
        "org": recorded.organization, "workflow_id": event.workflow_id,
        "schedule": event.schedule,
    }  # fmt: skip
    made = upsert(t.ticks).values(**named, **values)
    await db.execute(
        made.on_conflict_do_update(index_elements=t.ticks.primary_key.columns, set_=values)
    )
    s = t.schedules.c
    mine = and_(*[s[name] == value for name, value in named.items()])
    found = await db.execute(select(t.schedules).where(mine, s.next_at <= event.due_at))
    for row in found.all():
        await _go_on(db, row, event.due_at)


async def _go_on(db: AsyncConnection, row: Any, after: datetime) -> None:
    s = t.schedules.c
    mine = and_(
        s.org == row.org, s.workflow_id == row.workflow_id, s.schedule == row.schedule,
        s.version == row.version,
    )  # fmt: skip
    next_at = next_after(row.cron, row.timezone, after)
    if next_at is None or (row.until is not None and next_at > row.until):
        await db.execute(delete(t.schedules).where(mine))
    else:
        await db.execute(update(t.schedules).where(mine).values(next_at=next_at))
