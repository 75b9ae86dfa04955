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
from services.billing.views import counting
from services.executor.contract import ExecutionStarted
from services.identity.contract import OrganizationFounded

founding = Projection("founding", producer="identity")
metering = Projection("metering", producer="executor", tables=[counting])
COUNT = """
insert into counting as c (org, day, workflow, kind, upto, executions)
select org, day, workflow, kind, 0, executions from json_to_recordset(%s::json)
  as r(org text, day text, workflow text, kind text, executions bigint) order by 1, 2, 3, 4
on conflict (org, day, workflow, kind, upto)
do update set executions = c.executions + excluded.executions
"""
SAID = """
select c.org, max(c.upto) as upto from counted c
join readers r on r.name = 'metering' and r.incarnation = c.incarnation
where c.org = any(%s) group by 1
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
    """Counts the starts of a batch that no fact has said; only live executions are used."""
    starts = [(one, one.json()) for one in events if one.type == ExecutionStarted.type]
    live = [(one, data) for one, data in starts if data["mode"] == "live"]
    if not live:
        return
    organizations = list({one.organization for one, _ in live})
    found = await connection.exec_driver_sql(SAID, (organizations,))
    said: dict[str, int] = {row.org: row.upto for row in found}
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for one, data in live:
        if one.sequence > said.get(one.organization, -1):
            kind = data["trigger"]["kind"]
            counts[one.organization, day_of(one.time), data["workflow_id"], kind] += 1
    rows = [
        {"org": org, "day": day, "workflow": workflow, "kind": kind, "executions": n}
        for (org, day, workflow, kind), n in counts.items()
    ]
    await connection.exec_driver_sql(COUNT, (msgspec.json.encode(rows).decode(),))
