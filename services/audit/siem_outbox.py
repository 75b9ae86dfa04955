"""Live streams in the database: what is due, and what came of it, with the facts that are told.

Only the leading process writes here; a position moves from where it was read, so that a second one
by accident sends again and skips nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.eventstore import append_within, stream_of
from libs.common.messages import Event, Meta
from libs.common.service import Service
from libs.egress.webhooks import Attempt
from libs.trail.canonical import day_of
from services.audit import stored
from services.audit.contract import SERVICE
from services.audit.contract.siem import SiemChecked, SiemDelivered, SiemEntriesLost
from services.audit.signing import TRANSPORT

CHECK_AGAIN = timedelta(hours=1)
LOST_AGAIN = timedelta(hours=1)
ROWS = """
select s.*, t.trail, coalesce(h.size, 0) as size,
  (select json_agg(json_build_object('kind', k.kind, 'sealed', k.sealed) order by k.made_at desc)
   from siem_secrets k where k.stream = s.id
     and (k.valid_until is null or k.valid_until > :now)) as secrets
from siem_streams s left join trails t on t.org = s.org left join trail_heads h on h.trail = t.trail
"""
DUE = text(
    ROWS
    + """
where (s.due_at is null or s.due_at <= :now) and (h.size > s.position or s.checked_day is null
  or s.checked_day < :today or (s.checked = 'failed' and s.checked_at <= :again))
order by s.due_at nulls first, s.id
"""
)
ARRIVED = text("""
update siem_streams set due_at = null, failing_since = null, failures = 0, noticed_at = null,
  lost_at = null, last_status = :status, last_error = null
where id = :id
""")
MOVED = text("""
update siem_streams set position = :next, last_delivered_at = :now,
  since_check = since_check + :count, hour = coalesce(hour, :hour),
  hour_first = case when hour is null then :first else hour_first end,
  hour_last = :last, hour_count = case when hour is null then 0 else hour_count end + :count
where id = :id and position = :position
""")
PASSED = text("update siem_streams set position = :next where id = :id and position = :position")
FAILED = text("""
update siem_streams set due_at = case when changes = :changes then :due end,
  failing_since = coalesce(failing_since, :now),
  failures = failures + 1, last_status = :status, last_error = :error
where id = :id
""")
CHECKED = text("""
update siem_streams set checked_at = :now, checked = :outcome,
  checked_day = case when changes = :changes then :day else checked_day end,
  since_check = case when :outcome = 'ok' then 0 else since_check end
where id = :id
""")
OLD = text("select max(size) from checkpoints where trail = :trail and at <= :before")
LOST = text("""
update siem_streams set position = :next, lost = lost + :count, lost_at = :now
where id = :id and position = :position
""")
HOURS = text("""
select org, id, hour, hour_count, hour_first, hour_last from siem_streams where hour < :hour
order by id for update
""")
HOUR_TOLD = text("update siem_streams set hour = null where id = :id")
ITS_HOUR = text("""
select org, id, hour, hour_count, hour_first, hour_last from siem_streams
where org = :org and id = :id for update
""")
DELETE = text("delete from siem_streams where org = :org and id = :id")
DELETE_SECRETS = text("delete from siem_secrets where org = :org and stream = :id")
SECRETS_GONE = text("delete from siem_secrets where valid_until <= :now")
NOTICES = text("""
select id, org, created_by, failing_since from siem_streams
where failing_since <= :before and noticed_at is null order by id
""")
NOTICED = text("update siem_streams set noticed_at = :now where id = :id")


def hour_of(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)


async def due(db: AsyncConnection, now: datetime) -> Sequence[Any]:
    """Streams with something to send, or a health check to make."""
    values = {"now": now, "today": day_of(now), "again": now - CHECK_AGAIN}
    return (await db.execute(DUE, values)).all()


def check_is_due(row: Any, now: datetime) -> bool:
    """Once a day; one that failed again every hour."""
    if row.checked_day is None or row.checked_day < day_of(now):
        return True
    return row.checked == "failed" and row.checked_at <= now - CHECK_AGAIN


async def delivered(
    db: AsyncConnection, row: Any, span: tuple[int, int], count: int, beyond: int,
    attempt: Attempt, now: datetime,
) -> None:  # fmt: skip
    """`span` is the first and last number that was sent; `beyond` where it goes on."""
    await db.execute(ARRIVED, {"id": row.id, "status": attempt.status})
    await db.execute(MOVED, {
        "id": row.id, "position": row.position, "next": beyond, "now": now, "count": count,
        "hour": hour_of(now), "first": span[0], "last": span[1],
    })  # fmt: skip


async def passed(db: AsyncConnection, row: Any, beyond: int) -> None:
    """There was nothing to send up to there."""
    await db.execute(PASSED, {"id": row.id, "position": row.position, "next": beyond})


async def failed(
    db: AsyncConnection, row: Any, status: int | None, error: str | None, now: datetime,
    wait_s: float,
) -> bool:  # fmt: skip
    """When it is tried again; True when entries are lost by that."""
    due_at = now + timedelta(seconds=wait_s)
    await db.execute(FAILED, {
        "id": row.id, "changes": row.changes, "due": due_at, "now": now, "status": status,
        "error": error,
    })  # fmt: skip
    return await _lose(db, row, now)


async def _lose(db: AsyncConnection, row: Any, now: datetime) -> bool:
    """Passes over what was entered longer ago than the loss window, as checkpoints show it; told
    once an hour at most."""
    if row.trail is None or (row.lost_at is not None and row.lost_at > now - LOST_AGAIN):
        return False
    before = now - timedelta(days=row.loss_window_days)
    old = (await db.execute(OLD, {"trail": row.trail, "before": before})).scalar()
    if old is None or old <= row.position:
        return False
    rows = stored.of_work(db)
    count = await stored.count(rows, row.trail, row.position, old, TRANSPORT)
    if not count:
        await passed(db, row, old)
        return False
    moved = await db.execute(LOST, {
        "id": row.id, "position": row.position, "next": old, "count": count, "now": now,
    })  # fmt: skip
    if moved.rowcount:
        await _tell(db, row, SiemEntriesLost(
            siem_stream_id=row.id, first=row.position, last=old - 1, count=count,
            loss_window_days=row.loss_window_days,
        ))  # fmt: skip
    return bool(moved.rowcount)


async def checked(db: AsyncConnection, row: Any, attempt: Attempt, now: datetime) -> bool:
    """True when it is told: the first of a day, and the first that goes well after that."""
    outcome = "ok" if attempt.arrived else "failed"
    today = day_of(now)
    if attempt.arrived:
        await db.execute(ARRIVED, {"id": row.id, "status": attempt.status})
    await db.execute(CHECKED, {
        "id": row.id, "changes": row.changes, "day": today, "now": now, "outcome": outcome,
    })  # fmt: skip
    if row.checked_day == today and row.checked == outcome:
        return False
    await _tell(db, row, SiemChecked(
        siem_stream_id=row.id, outcome=outcome, last_status=attempt.status,
        last_error=attempt.trouble, position=row.position, size=row.size,
    ))  # fmt: skip
    return True


async def tell_hours(db: AsyncConnection, now: datetime) -> int:
    """What arrived in hours that are over: one entry per receiver and hour; how many were told."""
    rows = (await db.execute(HOURS, {"hour": hour_of(now)})).all()
    for row in rows:
        await tell_hour(db, row)
        await db.execute(HOUR_TOLD, {"id": row.id})
    await db.execute(SECRETS_GONE, {"now": now})
    return len(rows)


async def tell_hour(db: AsyncConnection, row: Any) -> None:
    await _tell(db, row, SiemDelivered(
        siem_stream_id=row.id, hour=row.hour, count=row.hour_count, first=row.hour_first,
        last=row.hour_last,
    ))  # fmt: skip


async def _tell(db: AsyncConnection, row: Any, fact: Event) -> None:
    """In a stream beside the one that says where it goes: its version is not theirs."""
    name = stream_of("forwarding", row.org, row.id)
    await append_within(db, name, [fact], Meta.system(SERVICE, row.org))


async def to_notice(service: Service, before: datetime) -> Sequence[Any]:
    """Those that have been failing since before then, and nobody was told."""
    async with service.database.work() as db:
        return (await db.execute(NOTICES, {"before": before})).all()


async def noticed(service: Service, id: str, now: datetime) -> None:
    async with service.database.work() as db:
        await db.execute(NOTICED, {"id": id, "now": now})


async def forget(db: AsyncConnection, org: str, id: str) -> None:
    """Tells what arrived in this hour, and deletes the row and its secrets."""
    of = {"org": org, "id": id}
    row = (await db.execute(ITS_HOUR, of)).first()
    if row is not None and row.hour is not None:
        await tell_hour(db, row)
    await db.execute(DELETE_SECRETS, of)
    await db.execute(DELETE, of)
