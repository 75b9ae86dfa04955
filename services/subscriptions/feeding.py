"""Writes the feed: numbers per organization without gaps, and the deliveries that follow."""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import ids
from libs.common.envelope import public_event
from libs.common.messages import Json, Recorded
from services.subscriptions.contract import TestSent
from services.subscriptions.matching import type_matches, where_matches

KEEP_DAYS = 7

# One statement numbers a batch under the locks on the organizations' heads, taken in their order
# and held until the commit. What is there already keeps its number; what is older than the feed
# keeps is passed over, so that a rebuild brings nothing back. It is looked up by its index, one by
# one: as `not exists` the planner reads the whole feed for every batch.
NUMBER = text(f"""
with e as materialized (
  select r.*, row_number() over (partition by r.org order by r.i) as k
  from json_to_recordset(cast(:rows as json)) as r(
    i int, org text, id text, type text, subject text, time timestamptz, event json)
  where r.time > wall_clock() - interval '{KEEP_DAYS} days'
    and (select f.n from feed f where f.event_id = r.id order by f.event_id limit 1) is null),
counts as (select org, count(*) as c from e group by org),
heads as (
  insert into feed_heads as h (org, n) select org, c from counts order by org
  on conflict (org) do update set n = h.n + excluded.n returning h.org, h.n)
insert into feed (org, n, event_id, type, subject, time, event)
select e.org, heads.n - counts.c + e.k, e.id, e.type, e.subject, e.time, e.event
from e join counts using (org) join heads using (org)
returning org, n, event_id
""")
SAY_AGAIN = text("""
update feed f set type = r.type, subject = r.subject, time = r.time, event = r.event
from json_to_recordset(cast(:rows as json)) as r(
  id text, type text, subject text, time timestamptz, event json)
where f.event_id = r.id
""")
ENDPOINTS = text("""
select org, subscription, types, conditions from endpoints where enabled and org = any(:orgs)
""")
# A delivery is due at once when nothing of its stream is open before it; else it waits. Those of
# a batch are microseconds apart, so that the log of deliveries lists them in their order.
DELIVER = text("""
with r as materialized (
  select r.*, row_number() over (partition by r.subscription, r.subject order by r.number) as k,
    row_number() over (order by r.number) as place
  from json_to_recordset(cast(:rows as json)) as r(
    org text, id text, subscription text, subject text, event_id text, event_type text,
    number bigint)),
counts as (select org, subscription, subject, count(*) as c from r group by 1, 2, 3),
streams as (
  insert into delivery_streams as s (org, subscription, subject, last, open)
  select org, subscription, subject, c, c from counts order by subscription, subject
  on conflict (subscription, subject) do update
    set last = s.last + excluded.last, open = s.open + excluded.open, at = wall_clock()
  returning s.subscription, s.subject, s.last, s.open)
insert into deliveries (org, id, subscription, subject, sequence, event_id, event_type, number,
  created_at, due_at)
select r.org, r.id, r.subscription, r.subject, streams.last - counts.c + r.k, r.event_id,
  r.event_type, r.number, (select wall_clock()) + make_interval(secs => r.place / 1000000.0),
  case when r.k = 1 and streams.open = counts.c then now() end
from r join counts using (subscription, subject) join streams using (subscription, subject)
""")


# Organizations whose feeds grow with the batch that a reader has in hand, until its commit.
grown: dict[str, set[str]] = {}


async def write(connection: AsyncConnection, events: Sequence[Recorded], reader: str = "") -> None:
    """Two statements for a batch that nobody subscribes to, three when there are deliveries."""
    shown = [event for recorded in events if (event := public_event(recorded)) is not None]
    if not shown:
        return
    rows = _rows([_row(i, event) for i, event in enumerate(shown)])
    found = await connection.execute(NUMBER, {"rows": rows})
    numbers: dict[str, int] = {row.event_id: row.n for row in found}
    if len(numbers) < len(shown):
        await connection.execute(SAY_AGAIN, {"rows": rows})
    fresh = [event for event in shown if event["id"] in numbers]
    orgs = sorted({event["organization"] for event in fresh})
    if not orgs:
        return
    grown.setdefault(reader, set()).update(orgs)
    endpoints = (await connection.execute(ENDPOINTS, {"orgs": orgs})).mappings().all()
    wanted = list(_wanted(fresh, endpoints, numbers))
    if wanted:
        await connection.execute(DELIVER, {"rows": _rows(wanted)})


def _row(index: int, event: Json) -> Json:
    return {
        "i": index, "org": event["organization"], "id": event["id"], "type": event["type"],
        "subject": event["subject"], "time": event["time"], "event": event,
    }  # fmt: skip


def _wanted(
    events: Iterable[Json], endpoints: Sequence[RowMapping], numbers: dict[str, int]
) -> Iterable[Json]:
    by_org: dict[str, list[RowMapping]] = {}
    for endpoint in endpoints:
        by_org.setdefault(endpoint["org"], []).append(endpoint)
    for event in events:
        for endpoint in by_org.get(event["organization"], ()):
            if _takes(endpoint, event):
                yield {
                    "org": event["organization"], "id": ids.new("del"),
                    "subscription": endpoint["subscription"], "subject": event["subject"],
                    "event_id": event["id"], "event_type": event["type"],
                    "number": numbers[event["id"]],
                }  # fmt: skip


def _takes(endpoint: RowMapping, event: Json) -> bool:
    """A test goes to the subscription that it names, and to nobody else."""
    if event["type"] == TestSent.type:
        return event["data"]["subscription_id"] == endpoint["subscription"]
    return type_matches(endpoint["types"], event["type"]) and where_matches(
        endpoint["conditions"], event["data"]
    )


def _rows(rows: list[Json]) -> str:
    return msgspec.json.encode(rows).decode()
