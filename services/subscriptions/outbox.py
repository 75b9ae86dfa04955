"""Deliveries in the database: claimed for an attempt by the database's clock, and recorded."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.eventstore import encode, rows, stream_of
from libs.common.messages import Json, Meta
from services.subscriptions.contract import SERVICE, DeliveryEnded, DeliveryOutcome

# Subscriptions that have something due are found by hopping over the index, so that a dead one
# with a million rows costs no more than one with a single row. `busy` is what this process has
# under way of each. The lease is `due_at` itself: a dead process' attempts are due again.
CLAIM = text("""
with recursive s as (
  (select d.subscription from deliveries d where d.due_at is not null
   order by d.subscription limit 1)
  union all
  select (select d.subscription from deliveries d
          where d.due_at is not null and d.subscription > s.subscription
          order by d.subscription limit 1)
  from s where s.subscription is not null),
due as (
  select d.id from s
  join endpoints e on e.subscription = s.subscription and e.enabled and not e.gone
  cross join lateral (
    select d.id, d.due_at from deliveries d
    where d.subscription = s.subscription and d.due_at <= now() order by d.due_at
    limit greatest(0, :each
      - coalesce(cast(cast(:busy as json) ->> s.subscription as int), 0))) d
  order by d.due_at limit :free),
mine as (
  select d.id from deliveries d join due using (id) where d.due_at <= now()
  for update of d skip locked),
claimed as (
  update deliveries d set due_at = now() + make_interval(secs => :lease_s), owner = :owner
  from mine where d.id = mine.id returning d.*)
select c.id, c.org, c.subscription, c.sequence, c.event_id, c.resend_of, c.owner,
  json_array_length(c.attempts) as made, f.event, e.url,
  (select json_agg(k.sealed order by k.made_at desc) from signing_secrets k
   where k.subscription = c.subscription
     and coalesce(k.valid_until > wall_clock(), true)) as secrets
from claimed c join endpoints e using (subscription) left join feed f on f.event_id = c.event_id
""")
# One at a time ends deliveries; then endpoints before streams, in their order, as the feed does.
ALONE = text("select pg_advisory_xact_lock(22)")
LOCK_ENDPOINTS = text("""
select 1 from endpoints where subscription = any(:subscriptions) order by subscription for update
""")
LOCK_STREAMS = text("""
select 1 from delivery_streams s where (s.subscription, s.subject) in (
  select d.subscription, d.subject from deliveries d where d.id = any(:ids))
order by s.subscription, s.subject for update
""")
RECORD = text("""
update deliveries d set
  attempts = case when r.attempt is null then d.attempts
    else cast(cast(d.attempts as jsonb) || cast(r.attempt as jsonb) as json) end,
  outcome = r.outcome, owner = null,
  ended_at = case when r.outcome is not null then wall_clock() end,
  due_at = case when r.outcome is null then now() + make_interval(secs => r.after_s) end
from json_to_recordset(cast(:rows as json))
  as r(id text, owner text, attempt json, outcome text, after_s float)
where d.id = r.id and d.owner = r.owner and d.ended_at is null
returning d.id, d.org, d.subscription, d.subject, d.event_id, d.outcome, d.resend_of,
  json_array_length(d.attempts) as made, cast(d.attempts -> -1 ->> 'status' as int) as status,
  cast(extract(epoch from wall_clock() - d.created_at) * 1000 as bigint) as ms
""")
CLOSE = text("""
update delivery_streams s set open = s.open - r.c
from json_to_recordset(cast(:rows as json)) as r(subscription text, subject text, c int)
where s.subscription = r.subscription and s.subject = r.subject
""")
NEXT = text("""
update deliveries d set due_at = now()
from json_to_recordset(cast(:rows as json)) as r(subscription text, subject text, c int)
where d.due_at is null and d.id = (
  select o.id from deliveries o
  where o.subscription = r.subscription and o.subject = r.subject
    and o.ended_at is null and o.resend_of is null
  order by o.sequence limit 1)
""")
HEALTH = text("""
update endpoints e set
  failing_since = case when r.arrived then null else coalesce(e.failing_since, wall_clock()) end,
  failures = case when r.arrived then 0 else e.failures + r.failures end,
  last_status = r.status, gone = e.gone or r.gone
from json_to_recordset(cast(:rows as json))
  as r(subscription text, arrived boolean, gone boolean, failures int, status int)
where e.subscription = r.subscription and (r.gone or not r.arrived or e.failing_since is not null)
""")
APPEND = text("select count(*) from append(cast(0 as smallint), cast(:batch as json))")
# What waits for an endpoint that takes nothing any more; not what is under way at this moment.
ABANDON = text("""
update deliveries d set owner = :owner where d.id in (
  select d.id from endpoints e join deliveries d using (subscription)
  where not e.enabled and d.ended_at is null
    and (d.owner is null or d.due_at <= now()) limit :most
  for update of d skip locked)
returning d.id
""")


Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of one claimed delivery; `attempt` is None when nothing was sent."""

    id: str
    owner: str
    subscription: str
    attempt: Json | None
    arrived: bool
    outcome: DeliveryOutcome | None
    after_s: float = 0.0
    gone: bool = False


async def claim(
    db: AsyncConnection, *, free: int, each: int, busy: Counter[str], lease_s: float, owner: str
) -> list[Row]:
    """At most `free` that are due, `each` per endpoint, leased to `owner`."""
    found = await db.execute(CLAIM, {
        "free": free, "each": each, "busy": _text(dict(busy)), "lease_s": lease_s, "owner": owner,
    })  # fmt: skip
    return [row._asdict() for row in found]


async def record(db: AsyncConnection, ended: Sequence[Ended]) -> int:
    """Records attempts in the caller's transaction; whose lease was lost changes nothing.

    Says how many deliveries ended; each gets its `delivery-ended`, and the next one of its stream
    is due.
    """
    await db.execute(ALONE)
    subscriptions = sorted({e.subscription for e in ended if e.attempt is not None})
    await db.execute(LOCK_ENDPOINTS, {"subscriptions": subscriptions})
    await db.execute(LOCK_STREAMS, {"ids": [e.id for e in ended if e.outcome is not None]})
    said = [
        {"id": e.id, "owner": e.owner, "attempt": e.attempt, "outcome": e.outcome,
         "after_s": e.after_s}
        for e in ended
    ]  # fmt: skip
    kept = (await db.execute(RECORD, {"rows": _text(said)})).mappings().all()
    mine = {row["id"] for row in kept}
    await _health(db, [e for e in ended if e.id in mine and e.attempt is not None])
    over = [row for row in kept if row["outcome"] is not None]
    streams = Counter((r["subscription"], r["subject"]) for r in over if r["resend_of"] is None)
    if streams:
        closed = [{"subscription": s, "subject": t, "c": c} for (s, t), c in streams.items()]
        await db.execute(CLOSE, {"rows": _text(closed)})
        await db.execute(NEXT, {"rows": _text(closed)})
    if over:
        await _say_ended(db, over)
    return len(over)


async def _health(db: AsyncConnection, ended: Sequence[Ended]) -> None:
    """One success in a batch is one: the endpoint lives."""
    if not ended:
        return
    by: dict[str, list[Ended]] = {}
    for each in ended:
        by.setdefault(each.subscription, []).append(each)
    health = [
        {"subscription": name, "arrived": any(e.arrived for e in those),
         "gone": any(e.gone for e in those), "failures": sum(not e.arrived for e in those),
         "status": (those[-1].attempt or {}).get("status")}
        for name, those in sorted(by.items())
    ]  # fmt: skip
    await db.execute(HEALTH, {"rows": _text(health)})


async def _say_ended(db: AsyncConnection, over: Sequence[RowMapping]) -> None:
    """Last, because it takes the lock on the log's head; all in one statement.

    A delivery that was asked for again has that request as the first event of its stream.
    """
    batch: list[Any] = []
    for row in over:
        fact = DeliveryEnded(
            delivery_id=row["id"], subscription_id=row["subscription"], event_id=row["event_id"],
            outcome=row["outcome"], attempts=row["made"], last_status=row["status"],
            duration_ms=row["ms"],
        )  # fmt: skip
        first = 1 if row["resend_of"] is None else 2
        stream = stream_of("delivery", row["org"], row["id"])
        batch += rows(stream, first, [fact], Meta.system(SERVICE, row["org"]))
    won = await db.execute(APPEND, {"batch": encode(batch).decode()})
    if won.scalar_one() != len(batch):
        raise RuntimeError("a delivery ended twice")


async def abandon(db: AsyncConnection, owner: str, most: int) -> int:
    """Ends what waits for disabled and deleted endpoints; says how many there were."""
    await db.execute(ALONE)
    found = (await db.execute(ABANDON, {"owner": owner, "most": most})).scalars().all()
    ended = [Ended(id, owner, "", None, arrived=False, outcome="undelivered") for id in found]
    if ended:
        await record(db, ended)
    return len(ended)


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
