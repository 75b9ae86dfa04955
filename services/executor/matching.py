"""Events as executions see them: what came of a type since a moment, with its data opened."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.privacy import Forgotten
from libs.common.service import Service
from libs.language.steps import WaitStep
from services.executor.work import PURPOSE

log = logging.getLogger(__name__)
ARRIVALS_MAX = 1000

# What arrived a minute earlier may have been committed after the moment by another clock.
SINCE = text("""
select a.id, a.event, a.stream, l.data from (
  select * from arrivals where org = :org and type = :type and at >= :since
    and arrived_at >= cast(:since as timestamptz) - interval '60 s'
  order by arrived_at desc, id desc limit :max) a
left join log l on l.stream = a.stream and l.version = 1 order by a.arrived_at, a.id
""")
SINCE_LIKE = text(str(SINCE).replace("type = :type", "starts_with(type, :type)"))
OF = text("""
select a.id, a.event, a.stream, l.data from arrivals a
left join log l on l.stream = a.stream and l.version = 1 where a.id = any(:ids)
""")


async def arrivals(service: Service, org: str, wait: WaitStep, since: datetime) -> list[Any]:
    """CloudEvents of the wait's type since a moment, opened, in the order of their arrival.

    At most the newest thousand; the caller has seen those before when it looked earlier.
    """
    assert wait.event is not None, "only a wait for an event looks for one"
    name = wait.event.type
    statement = SINCE_LIKE if name.endswith("*") else SINCE
    async with service.database.work() as db:
        found = (await db.execute(statement, {
            "org": org, "type": name.removesuffix("*"), "since": since, "max": ARRIVALS_MAX,
        })).all()  # fmt: skip
    return list((await opened(service, org, found)).values())


async def events_of(
    service: Service, db: AsyncConnection, org: str, ids: Sequence[str]
) -> dict[str, Any]:
    """The CloudEvents with these ids, opened; what is forgotten is left out."""
    return await opened(service, org, (await db.execute(OF, {"ids": list(ids)})).all())


async def opened(service: Service, org: str, rows: Sequence[Any]) -> dict[str, Any]:
    """By id. A customer's own event without its key or its place in the log is left out."""
    events: dict[str, Any] = {}
    for row in rows:
        if row.stream is None:
            events[row.id] = row.event
        elif row.data is not None:
            said = row.data if isinstance(row.data, dict) else msgspec.json.decode(row.data)
            try:
                key = await service.keys.key(org, PURPOSE)
                events[row.id] = row.event | {"data": key.open(said["data"], row.stream)}
            except Forgotten:
                continue
            except ValueError:
                log.error("data of an event can't be opened", extra={"event": row.id})
    return events
