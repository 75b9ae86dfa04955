"""What tests of events say and look at: emitting, ticking, executions, the ledger, tables."""

import asyncio
import contextlib
from datetime import datetime
from typing import Any

from libs.common.errors import Unavailable
from libs.common.messages import Meta
from libs.common.testing import eventually
from services.executor.contract import (
    EmitEvent,
    FindCalls,
    FindExecution,
    FindExecutions,
    FindTimeline,
)  # fmt: skip
from services.workflows.contract import ScheduleTicked, schedule_stream
from tests_support.engines import Bed


async def emit(bed: Bed, name: str, data: Any, **more: Any) -> dict[str, Any]:
    asked = EmitEvent(event_type=name, data=data, **more)
    return (await bed.bus.ask(asked, bed.meta)).value


async def tick(
    bed: Bed, workflow: str, due: datetime, decision: Any = "start"
) -> None:  # fmt: skip
    event = ScheduleTicked(
        workflow_id=workflow, schedule="hourly", workflow_version=1, due_at=due,
        decision=decision, missed_count=0,
    )  # fmt: skip
    stream = schedule_stream(bed.org, workflow)
    assert await bed.workflows.store.note(stream, [event], Meta.system("test", bed.org))


async def start(bed: Bed, body: Any, key: str) -> str:
    """Calls with the same key until somebody says that it is started."""
    while True:
        future = await bed.send("waits", body, key=key, respond="accepted")
        with contextlib.suppress(TimeoutError):
            return (await asyncio.wait_for(future, 6)).execution


async def surely(bed: Bed, name: str, data: Any, **more: Any) -> dict[str, Any]:
    """Says it again with its id until somebody answered."""
    while True:
        try:
            return await emit(bed, name, data, **more)
        except Unavailable:
            continue


async def executions(bed: Bed) -> list[dict[str, Any]]:
    return (await bed.bus.ask(FindExecutions(limit=200), bed.meta)).value["data"]


async def calls(bed: Bed, **filters: Any) -> list[dict[str, Any]]:
    return (await bed.bus.ask(FindCalls(**filters), bed.meta)).value["data"]


async def shown(bed: Bed, execution: str) -> dict[str, Any]:
    return (await bed.bus.ask(FindExecution(execution_id=execution), bed.meta)).value


async def newest(bed: Bed) -> dict[str, Any] | None:
    found = await executions(bed)
    return found[0] if found and found[0]["outcome"] else None


async def newest_after(bed: Bed, before: str | None) -> dict[str, Any] | None:
    """The next execution, or None when the ledger says that none will come."""

    async def look() -> Any:
        return await newest(bed), await calls(bed, outcome=["refused"])

    found, refused = await eventually(
        look, lambda seen: bool(seen[1]) or (seen[0] is not None and seen[0]["id"] != before)
    )
    return None if refused else found


def ended(count: int):
    return lambda found: len(found) == count and all(e["outcome"] for e in found)


async def kinds_of(bed: Bed, execution: str) -> list[str]:
    asked = FindTimeline(execution_id=execution, limit=200)
    page = (await bed.bus.ask(asked, bed.meta)).value["data"]
    return [entry["kind"] for entry in page if entry["kind"] != "step"]


async def _rows(bed: Bed, sql: bytes) -> list[Any]:
    async with bed.executors[0].database.hot.connection() as connection:
        return await (await connection.execute(sql)).fetchall()


async def waiting_for(bed: Bed) -> list[str]:
    sql = b"select e.waits from executions e where e.outcome is null"
    return [path for (waits,) in await _rows(bed, sql) for path in waits]


async def listening(bed: Bed) -> int:
    return len(await _rows(bed, b"select 1 from listeners where kind = 'wait'"))


async def fresh(bed: Bed) -> int:
    return len(await _rows(bed, b"select 1 from arrivals where fresh_at is not null"))


async def fresh_or_waiting(bed: Bed) -> int:
    return await fresh(bed) + await listening(bed)


async def fresh_again(bed: Bed) -> None:
    async with bed.executors[0].database.work() as db:
        await db.exec_driver_sql("update arrivals set fresh_at = now()")
