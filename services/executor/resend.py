"""A call from the ledger goes through routing again, as a new execution."""

import asyncio
import time
from typing import Any

from libs.common import ids
from libs.common.errors import Unavailable, from_wire
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from services.executor import event_starts
from services.executor.start import Starts
from services.executor.work import PURPOSE, Start, StartAnswer

COMMITTED_S = 4.0


async def resend(starts: Starts, meta: Meta, row: Any, headers: Any, body: Any) -> str:
    """The new execution's id once its start is committed, the same for the same call and key."""
    org = meta.organization
    key = await starts.service.keys.key(org, PURPOSE)
    call = ids.derived("call", org, row.call, meta.command_id or ids.new("call"))
    execution = ids.derived("exe", org, "resend", call)
    payload = {"body": body, "input": body, "headers": headers, "query": {}}
    start = Start(
        kind=row.kind, organization=org, execution=execution, call=call,
        payload=key.seal(payload, stream_of("call", org, call)),
        body_digest=key.digest(call, "body"), key_digest=key.digest(call, "key"), reply="",
        deadline_ms=int(time.time() * 1000) + 60_000, actor=meta.actor,
        request_id=meta.request_id, path=row.path, workflow=row.workflow,
        origin=meta.origin, traceparent=meta.traceparent, bytes=row.bytes,
    )  # fmt: skip
    if row.path is not None:
        start.workflow = None
    if start.unattended:
        start.payload, said = await event_starts.again(starts, meta, row, call)
        start.trigger, start.facts = said["trigger"], said["facts"]
    first: asyncio.Future[StartAnswer] = asyncio.get_running_loop().create_future()

    async def answer(one: StartAnswer | None) -> None:
        if one is not None and not first.done():
            first.set_result(one)

    async def carried() -> None:
        if not await starts.handle(start, answer) and not first.done():
            first.set_exception(Unavailable("the start was not committed", part="executor"))

    starts.engine.spawn(carried())
    try:
        async with asyncio.timeout(COMMITTED_S):
            said = await first
    except TimeoutError:
        raise Unavailable("the start was not committed", part="executor") from None
    if said.problem is not None:
        raise from_wire(said.problem)
    return execution
