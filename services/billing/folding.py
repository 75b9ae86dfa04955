"""Usage as a fact of billing's own log: what was counted in an hour, per organization and year.

The executor's log forgets by plan, and a customer is billed for years: what is counted from events
of others becomes an event of billing, and all that billing shows follows from its own log.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.eventstore import append_within
from libs.common.messages import Meta, Recorded
from libs.common.readers import Projection
from libs.common.service import Service
from services.billing.contract import SERVICE, UsageCounted, UsageMetered
from services.billing.domain import usage_stream
from services.billing.views import counted, counting, usage, used

AFTER = timedelta(hours=1)
ORGANIZATIONS = 100
ROWS = 500

usage_view = Projection("usage", version=1, tables=[usage, used])
# Who holds the bookmark counts: nobody does so while what was counted is said.
BOOKMARK = text("select n, incarnation from readers where name = 'metering' for update")
TAKE = """
with came as materialized (
  select * from json_to_recordset(%s::json)
    as r(day text, workflow text, kind text, executions bigint)),
said as (
  delete from counting c using came where c.org = %s and c.day = came.day
    and c.workflow = came.workflow and c.kind = came.kind and c.upto = %s),
rows as (
  insert into usage as u (org, day, workflow, kind, executions)
  select %s, day, workflow, kind, executions from came order by 2, 3, 4
  on conflict (org, day, workflow, kind)
  do update set executions = u.executions + excluded.executions)
insert into used as t (org, month, executions)
select %s, left(day, 7), sum(executions) from came group by 2 order by 2
on conflict (org, month) do update set executions = t.executions + excluded.executions
"""


@usage_view.on(UsageMetered)
async def _metered(connection: AsyncConnection, event: UsageMetered, recorded: Recorded) -> None:
    """What was shown as counted is shown as said, in one transaction: nothing is shown twice."""
    org = recorded.organization
    rows = msgspec.json.encode([row.model_dump() for row in event.rows]).decode()
    await connection.exec_driver_sql(TAKE, (rows, org, event.upto, org, org))


async def fold(service: Service, before: datetime) -> int:
    """Says what was counted of organizations of which something is older than `before`, a bite of
    them; how many there were. What is counted, said and marked moves in one transaction."""
    c = counting.c
    async with service.database.work() as db:
        at = (await db.execute(BOOKMARK)).one_or_none()
        if at is None or not at.n:
            return 0
        older = select(c.org).where(c.upto == 0).group_by(c.org)
        older = older.having(func.min(c.since) < before).order_by(c.org).limit(ORGANIZATIONS)
        organizations = list((await db.execute(older)).scalars())
        mine = (c.upto == 0) & c.org.in_(organizations)
        found = (await db.execute(
            select(c.org, func.left(c.day, 4).label("year"), c.day, c.workflow, c.kind,
                   c.executions).where(mine).order_by(c.org, c.day, c.workflow, c.kind)
        )).all()  # fmt: skip
        for (org, year), rows in groupby(found, key=lambda row: (row.org, row.year)):
            await append_within(
                db, usage_stream(org, year), facts_of(list(rows), at.n, at.incarnation),
                Meta.system(SERVICE, org),
            )  # fmt: skip
            row = {"org": org, "year": year, "incarnation": at.incarnation, "upto": at.n}
            made = insert(counted).values(row)
            await db.execute(made.on_conflict_do_update(constraint=counted.primary_key, set_=row))
        await db.execute(update(counting).where(mine).values(upto=at.n))
    if organizations:
        service.appended()
    return len(organizations)


def facts_of(rows: Sequence[Any], upto: int, incarnation: int) -> list[UsageMetered]:
    """One, or as many as it takes so that none is too large."""
    said = [
        UsageCounted(day=r.day, workflow=r.workflow, kind=r.kind, executions=r.executions)
        for r in rows
    ]
    return [
        UsageMetered(
            meter="executions", rows=said[first : first + ROWS], incarnation=incarnation, upto=upto
        )
        for first in range(0, len(said), ROWS)
    ]  # fmt: skip
