"""A call from the ledger goes through routing again, as a new execution."""

import time
from typing import Any

from libs.common import ids
from libs.common.errors import Unavailable, from_wire
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from services.executor.start import Starts
from services.executor.work import PURPOSE, Start, StartAnswer


async def resend(starts: Starts, meta: Meta, row: Any, headers: Any, body: Any) -> str:
    """The new execution's id, the same for the same call and the same caller's key."""
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
        traceparent=meta.traceparent, bytes=row.bytes,
    )  # fmt: skip
    if row.path is not None:
        start.workflow = None
    said: list[StartAnswer] = []

    async def answer(one: StartAnswer | None) -> None:
        if one is not None:
            said.append(one)

    await starts.handle(start, answer)
    if not said:
        raise Unavailable("the start was not committed", part="executor")
    if said[0].problem is not None:
        raise from_wire(said[0].problem)
    return execution
