"""Waits for events on real servers: found before and after, each ended once, none lost."""

import asyncio
import random

from tests_support.engines import Bed, make_bed
from tests_support.happenings import (
    emit,
    fresh_or_waiting,
    kinds_of,
    listening,
    shown,
    start,
    surely,
    waiting_for,
)
from tests_support.servers import Servers

from libs.common.testing import eventually
from services.executor.contract import OpenData

WAITS = """
troth: 1
name: waits
on:
  - webhook: {path: waits, verify: {scheme: none}, respond: result, timeout: 60s}
steps:
  - id: first
    wait: {for: "${{ input.pause }}"}
  - id: paid
    wait: {event: {type: custom.paid, match: "${{ event.data.order == input.order }}"}}
output: {order: "${{ paid.event.data.order }}", id: "${{ paid.event.id }}"}
"""


async def test_an_event_that_came_before_the_wait_is_found(bed: Bed) -> None:
    await bed.publish(WAITS)

    future = await bed.send("waits", {"order": 7, "pause": "1s"}, wait_s=60)
    await eventually(lambda: waiting_for(bed), lambda paths: paths == ["first"])
    event = await emit(bed, "custom.paid", {"order": 7})
    said = await asyncio.wait_for(future, 60)

    assert said.output == {"order": 7, "id": event["id"]}
    assert await kinds_of(bed, said.execution) == [
        "started", "wait-began", "wait-ended", "wait-ended", "finished",
    ]  # fmt: skip


async def test_an_event_that_comes_later_wakes_the_one_it_fits(bed: Bed) -> None:
    await bed.publish(WAITS)

    futures = [await bed.send("waits", {"order": n, "pause": "0s"}, wait_s=60) for n in (1, 2)]
    await eventually(lambda: waiting_for(bed), lambda paths: paths == ["paid", "paid"])
    await emit(bed, "custom.paid", {"order": 2})
    said = await asyncio.wait_for(futures[1], 60)
    await emit(bed, "custom.paid", {"order": 1})
    other = await asyncio.wait_for(futures[0], 60)

    assert (said.output["order"], other.output["order"]) == (2, 1)
    await eventually(lambda: listening(bed), lambda rows: rows == 0)


async def test_a_wait_by_the_beginning_of_a_type_takes_it_or_gives_up_in_time(bed: Bed) -> None:
    like = WAITS.replace("type: custom.paid,", "type: custom.p*,")
    end = 'input.order }}"}}'
    await bed.publish(like)
    await bed.publish(
        like.replace("waits", "hurries").replace(end, end[:-1] + ", timeout: 100ms}")
    )  # fmt: skip

    late = await bed.call("hurries", {"order": 1, "pause": "0s"}, wait_s=60)
    execution = await start(bed, {"order": 2, "pause": "0s"}, "key")
    await emit(bed, "custom.paid", {"order": 2})
    one = await eventually(lambda: shown(bed, execution), lambda e: e["outcome"] is not None)

    assert (late.outcome, late.error_type) == ("failed", "wait-timeout")
    assert one["outcome"] == "succeeded"


async def test_of_a_hundred_waits_and_events_in_any_order_none_is_lost(servers: Servers) -> None:
    bed = await make_bed(servers, executors=2)
    order = random.Random(11)
    at_once = asyncio.Semaphore(20)

    async def one(n: int, pause: str, before_the_event_s: float) -> str:
        async with at_once:
            execution = await start(bed, {"order": n, "pause": pause}, f"key-{n}")
            await asyncio.sleep(before_the_event_s)
            await surely(bed, "custom.paid", {"order": n}, id=f"order-{n}")
            return execution

    try:
        await bed.publish(WAITS)
        all_of_them = asyncio.gather(
            *(one(n, order.choice(("0s", "1s")), order.random() * 2) for n in range(100))
        )
        for _ in range(3):  # the one that leads goes in the middle, another one comes
            await eventually(lambda: fresh_or_waiting(bed), lambda seen: seen > 3)
            await bed.add_executor()
            await bed.executors.pop(0).stop()
        started = await all_of_them
        outputs = []
        for execution in started:
            await eventually(lambda e=execution: shown(bed, e), lambda e: e["outcome"], 60)
            data = await bed.bus.ask(OpenData(execution_id=execution), bed.meta)
            outputs.append(data.value["output"])
            assert (await kinds_of(bed, execution)).count("finished") == 1
        assert [one["order"] for one in outputs] == list(range(100))
        assert len({one["id"] for one in outputs}) == 100
    finally:
        await bed.close()
