"""What billing takes from others: organizations that were founded, executions that started."""

from collections import Counter
from collections.abc import Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.eventstore import append_within
from libs.common.messages import Meta, Recorded
from libs.common.readers import Projection
from services.billing.contract import SERVICE
from services.billing.domain import Absent, Open, account_stream, day_of, decide
from services.billing.views import usage, used
from services.executor.contract import ExecutionStarted
from services.identity.contract import OrganizationFounded

founding = Projection("founding", producer="identity")
# Its version stays: the executor's log forgets by plan, and what was billed is kept for years.
metering = Projection("metering", producer="executor", tables=[usage, used])
METER = """
with came as materialized (
  select * from json_to_recordset(%s::json)
    as r(org text, day text, workflow text, kind text, executions bigint)),
rows as (
  insert into usage as u (org, day, workflow, kind, executions)
  select org, day, workflow, kind, executions from came order by 1, 2, 3, 4
  on conflict (org, day, workflow, kind)
  do update set executions = u.executions + excluded.executions)
insert into used as t (org, month, executions)
select org, left(day, 7), sum(executions) from came group by 1, 2 order by 1, 2
on conflict (org, month) do update set executions = t.executions + excluded.executions
"""


@founding.on(OrganizationFounded)
async def open_account(
    connection: AsyncConnection, event: OrganizationFounded, recorded: Recorded
) -> None:
    """Opens the account in the transaction of the inbox; an open one stays as it is."""
    ask = Open(organization=event.organization_id, at=event.founded_at)
    meta = Meta.system(
        SERVICE, event.organization_id, request_id=recorded.requestid or "",
        causation_id=recorded.id, traceparent=recorded.traceparent,
    )  # fmt: skip
    stream = account_stream(event.organization_id)
    await append_within(connection, stream, decide(ask, Absent()), meta, first=1)


@metering.whole
async def meter(connection: AsyncConnection, events: Sequence[Recorded]) -> None:
    """Counts the starts of a batch with one statement; only live executions are used."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for recorded in events:
        if recorded.type != ExecutionStarted.type:
            continue
        data = recorded.json()
        if data["mode"] == "live":
            day, kind = day_of(recorded.time), data["trigger"]["kind"]
            counts[recorded.organization, day, data["workflow_id"], kind] += 1
    if counts:
        rows = [
            {"org": org, "day": day, "workflow": workflow, "kind": kind, "executions": n}
            for (org, day, workflow, kind), n in counts.items()
        ]
        await connection.exec_driver_sql(METER, (msgspec.json.encode(rows).decode(),))
