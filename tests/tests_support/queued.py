"""Thousands of executions that are queued, put there by the statement that writes every start.

Sending each over HTTP would take minutes, and the first would be done before the last is there.
"""

import asyncio
from typing import Any

from libs.common import ids
from libs.common.eventstore import rows, stream_of
from libs.common.messages import Meta
from services.executor.app import Executor
from services.executor.commit import Admission, Decision

AT_ONCE = 2000


async def queue(executor: Executor, org: str, like: str, count: int) -> None:
    """So many as `like`, as if each had been started and found no place; with mixed priorities.

    `executor` is one that does not run.
    """
    await executor.database.open()
    committer = executor.engine.committer
    running = asyncio.create_task(committer.run())
    meta = Meta.system("executor", org, request_id="req_1")
    try:
        stream = stream_of("execution", org, like)
        started: Any = (await executor.store.load(stream))[0].event()
        key = await executor.keys.key(org, "executions")
        names = key.open(started.input, stream)
        for first in range(0, count, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, count))
            decisions = [_one(org, started, key, names, n, meta) for n in numbers]
            made = await asyncio.gather(*map(committer.commit, decisions))
            assert {one.status for one in made} == {"won"}
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await executor.database.close()


def _one(org: str, started: Any, key: Any, names: Any, n: int, meta: Meta) -> Decision:
    execution = ids.new("exe")
    stream = stream_of("execution", org, execution)
    fact = started.model_copy(update={"execution_id": execution, "input": key.seal(names, stream)})
    return Decision(
        stream, execution, org, rows(stream, 1, [fact], meta), "keep",
        admission=Admission(priority=n % 11 - 5),
    )  # fmt: skip
