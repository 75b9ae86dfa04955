"""A zombie acknowledges a start that others took over: nothing hangs on the queue's memory."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from nats.aio.msg import Msg
from nats.js import api
from tests_support.engines import Bed, make_bed
from tests_support.servers import Servers

from libs.common.bus import Bus
from libs.common.messages import Recorded
from libs.common.pull import ensure_stream
from libs.common.tasks import end
from libs.common.testing import PASSWORD, arrived, eventually
from services.executor import work
from services.executor.app import Executor
from services.executor.contract import FindCalls

pytestmark = pytest.mark.timeout(180)
ACK_WAIT_S = 1
PAUSE = """
troth: 1
name: pause
on:
  - webhook: {path: pause, verify: {scheme: none}}
steps:
  - id: nap
    wait: {for: 3s}
  - id: after
    set: {n: "${{ input.n + 1 }}"}
output: ${{ after.n }}
"""


@pytest.fixture
async def bed(servers: Servers) -> AsyncIterator[Bed]:
    """No executor yet; what is not acknowledged within a second is delivered to somebody else."""
    made = await make_bed(servers, executors=0)
    js = made.bus.js
    await ensure_stream(
        js, work.STREAM, ["executor.work.>"], retention=api.RetentionPolicy.WORK_QUEUE
    )
    await js.add_consumer(
        work.STREAM,
        api.ConsumerConfig(durable_name=work.DURABLE, ack_policy=api.AckPolicy.EXPLICIT,
                           ack_wait=ACK_WAIT_S, max_deliver=-1, max_ack_pending=1000),
    )  # fmt: skip
    try:
        yield made
    finally:
        await made.close()


class Zombie:
    """Somebody who pulls a start from the queue and sleeps on it."""

    def __init__(self, servers: Servers) -> None:
        self.bus = Bus(servers.nats_url, "executor", "executor", PASSWORD)

    async def take(self) -> Msg:
        await self.bus.start()
        pull = await self.bus.js.pull_subscribe_bind(work.DURABLE, work.STREAM)
        (message,) = await pull.fetch(1, timeout=10)
        return message


async def die(executor: Executor) -> None:
    """As kill -9: nothing is drained, no lease is given back."""
    await end(executor._tasks)
    for task in list(executor.engine.tasks):
        task.cancel()
    executor.engine.draining = True
    await executor.bus.stop()
    await executor.database.close()
    await executor.engine.client.aclose()
    await executor.engine.worker.close()


async def queued(bed: Bed) -> int:
    return (await bed.bus.js.stream_info(work.STREAM)).state.messages


def history(bed: Bed, executor: Executor, execution: str) -> Any:
    async def look() -> list[str]:
        found: list[Recorded] = await executor.store.load(f"execution-{bed.org}-{execution}")
        return [recorded.type.rpartition(".")[2] for recorded in found]

    return look


async def test_a_zombies_late_ack_after_the_first_commit_loses_nothing(
    servers: Servers, bed: Bed
) -> None:
    zombie = Zombie(servers)
    await bed.publish(PAUSE)
    answer = await bed.send("pause", {"n": 1}, respond="accepted", deadline_s=60)
    held = await zombie.take()
    second = await bed.add_executor()
    said = await asyncio.wait_for(answer, 30)
    assert said.status == "started"
    look = history(bed, second, said.execution)
    await eventually(look, lambda types: "wait-began" in types)

    await held.ack()
    await arrived(zombie.bus.nc)
    await eventually(lambda: queued(bed), lambda left: left == 0)
    bed.executors.remove(second)
    await die(second)
    third = await bed.add_executor()

    types = await eventually(
        history(bed, third, said.execution), lambda types: types[-1] == "execution-finished", 30
    )
    assert types.count("execution-started") == 1
    assert types.count("wait-began") == 1
    await zombie.bus.stop()


async def test_a_zombies_ack_before_any_commit_takes_the_item_and_the_key_starts_it_once(
    servers: Servers, bed: Bed
) -> None:
    zombie = Zombie(servers)
    await bed.publish(PAUSE)
    unanswered = await bed.send("pause", {"n": 1}, key="k", respond="accepted", deadline_s=60)
    held = await zombie.take()
    await held.ack()
    await arrived(zombie.bus.nc)
    await eventually(lambda: queued(bed), lambda left: left == 0)
    only = await bed.add_executor()

    again = await bed.call("pause", {"n": 1}, key="k", respond="accepted")
    later = await bed.call("pause", {"n": 1}, key="k", respond="accepted")

    assert not unanswered.done(), "nothing was promised to who came first"
    assert (again.status, again.replayed) == ("started", False)
    assert (later.status, later.replayed, later.execution) == ("started", True, again.execution)
    types = await eventually(
        history(bed, only, again.execution), lambda types: types[-1:] == ["execution-finished"], 30
    )
    assert types.count("execution-started") == 1
    await zombie.bus.stop()


@pytest.mark.parametrize(("path", "outcome"), [("pause", "started"), ("nowhere", "unmatched")])
async def test_a_call_that_the_queue_delivers_twice_is_one_call_and_stops_no_reader(
    servers: Servers, bed: Bed, path: str, outcome: str
) -> None:
    zombie = Zombie(servers)
    await bed.publish(PAUSE)
    await bed.send(path, {"n": 1}, respond="accepted", deadline_s=60)
    held = await zombie.take()
    for again in ("once", "twice"):
        await bed.bus.js.publish(work.SUBJECT, held.data, headers={"Nats-Msg-Id": again})
    await held.ack()
    only = await bed.add_executor()
    await eventually(lambda: queued(bed), lambda left: left == 0, 30)

    later = await bed.call("pause", {"n": 5}, respond="accepted")
    shown = await eventually(
        lambda: calls(bed), lambda found: later.call in [one["id"] for one in found]
    )

    mine = [one for one in shown if one["id"] != later.call]
    assert [(one["path"], one["outcome"]) for one in mine] == [(path, outcome)]
    assert all(reader.stopped is None for reader in only.readers)
    await zombie.bus.stop()


async def calls(bed: Bed) -> list[dict[str, Any]]:
    return (await bed.bus.ask(FindCalls(), bed.meta)).value["data"]
