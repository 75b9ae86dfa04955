"""Places of concurrency keys, rates, debounce and priority, over several executors at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests_support.blocks import World, in_state, one_world, step
from tests_support.servers import Servers

from libs.common.eventstore import stream_of
from libs.common.testing import eventually
from services.executor.contract import CancelRequested
from tests.fakes.receiver import Answer

KEYED = f"""
concurrency: {{key: "${{{{ input.who }}}}", limit: 2, then: %s}}
steps:
  - {step("begin", "/begin/${{ input.who }}/${{ input.n }}")}
  - id: nap
    wait: {{for: 150ms}}
  - {step("end", "/end/${{ input.who }}/${{ input.n }}")}
output: ${{{{ input.n }}}}
"""


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    async with one_world(servers, executors=3) as made:
        yield made


async def test_starts_of_one_key_never_overlap_beyond_the_limit(world: World) -> None:
    await world.publish("keyed", KEYED % "queue")
    sent = [await world.bed.send("keyed", {"who": "abc"[n % 3], "n": n}, wait_s=60, deadline_s=60)
            for n in range(45)]  # fmt: skip
    said = await asyncio.wait_for(asyncio.gather(*sent), 60)

    assert sorted(one.output for one in said) == list(range(45))
    running: dict[str, int] = {}
    for seen in world.receiver.seen:
        _, what, who, _ = seen.path.split("/")
        running[who] = running.get(who, 0) + (1 if what == "begin" else -1)
        assert running[who] <= 2, "a third one began before one of two had ended"
    assert await _timers(world) == 0


async def test_a_queue_survives_the_end_of_all_executors(world: World) -> None:
    await world.publish("keyed", KEYED % "queue")
    for n in range(12):
        await world.bed.send("keyed", {"who": "a", "n": n}, respond="accepted", deadline_s=60)
    await eventually(lambda: _timers(world), lambda count: count >= 10)
    for executor in list(world.bed.executors):
        world.bed.executors.remove(executor)
        await executor.stop()
    for _ in range(2):
        await world.bed.add_executor()

    await eventually(lambda: _timers(world), lambda count: count == 0, 40)
    ended = [seen.path for seen in world.receiver.seen if seen.path.startswith("/end/")]
    assert len(set(ended)) == 12


async def test_more_than_the_limit_may_be_refused_instead(world: World) -> None:
    gate = hold(world)
    await world.publish("keyed", KEYED % "reject")
    sent = [await world.bed.send("keyed", {"who": "a", "n": n}) for n in range(6)]

    async def answered() -> int:
        return sum(each.done() for each in sent)

    await eventually(answered, lambda count: count == 4)
    gate.set()
    said = await asyncio.wait_for(asyncio.gather(*sent), 60)

    refused = [one.problem["code"] for one in said if one.problem is not None]
    assert refused == ["too-many-running"] * 4


def hold(world: World) -> asyncio.Event:
    """Nobody is answered by the receiver before this is set."""
    gate = asyncio.Event()

    async def reply(seen: Any) -> Answer:
        await gate.wait()
        return Answer()

    world.reply = reply
    return gate


async def test_the_newest_may_cancel_those_that_run(world: World) -> None:
    await world.publish("newest", f"""
concurrency: {{limit: 1, then: cancel-running}}
steps:
  - {step("begin", "/begin/${{ input.n }}")}
  - id: nap
    wait: {{for: "${{{{ input.s }}}}"}}
output: ${{{{ input.n }}}}
""")  # fmt: skip
    first = await world.bed.send("newest", {"n": 1, "s": "1h"}, wait_s=60)
    await world.waiting()
    second = await world.bed.send("newest", {"n": 2, "s": "10ms"}, wait_s=60)

    assert (await asyncio.wait_for(first, 60)).outcome == "cancelled"
    assert (await asyncio.wait_for(second, 60)).output == 2


async def test_who_is_to_make_room_is_asked_although_everybody_dies_behind_the_start(
    world: World,
) -> None:
    """Nothing that a process still had to do after the commit of the start is needed."""
    await world.publish("newest", f"""
concurrency: {{limit: 2, then: cancel-running}}
steps:
  - {step("begin", "/begin/${{ input.n }}")}
  - id: nap
    wait: {{for: 1h}}
""")  # fmt: skip
    asked = [
        await world.bed.call("newest", {"n": n}, respond="accepted", deadline_s=60)
        for n in range(3)
    ]
    streams = [stream_of("execution", world.bed.org, one.execution) for one in asked]
    async with world.engine.service.database.hot.connection() as connection:
        cursor = await connection.execute(
            "select c.stream from log s join log c on c.xmin = s.xmin and c.type = %s"
            " where s.stream = %s and s.version = 1",
            (CancelRequested.type, streams[2]),
        )
        with_the_start = [row[0] for row in await cursor.fetchall()]

    assert with_the_start == [streams[0]], "the oldest, by the transaction of the start"
    for executor in list(world.bed.executors):
        world.bed.executors.remove(executor)
        await executor.stop()
    await world.bed.add_executor()
    await in_state(world, asked[0].execution, "cancelled")
    for other in asked[1:]:
        await in_state(world, other.execution, "waiting")


async def test_each_of_many_at_once_makes_room_for_the_next_ones(world: World) -> None:
    await world.publish("newest", """
concurrency: {key: "${{ input.who }}", limit: 1, then: cancel-running}
steps: [{id: nap, wait: {for: 1h}}]
""")  # fmt: skip
    for n in range(12):
        await world.bed.send("newest", {"n": n, "who": "ab"[n % 2]}, respond="accepted",
                             deadline_s=60)  # fmt: skip

    await eventually(lambda: _timers(world), lambda count: count == 2, 20)
    await eventually(
        lambda: _outcomes(world), lambda rows: sorted(rows) == ["cancelled"] * 10 + ["live"] * 2
    )


async def _outcomes(world: World) -> list[str]:
    async with world.engine.service.database.hot.connection() as connection:
        cursor = await connection.execute("select coalesce(outcome, 'live') from executions")
        return [row[0] for row in await cursor.fetchall()]


async def test_calls_of_one_key_within_the_window_become_one_execution(world: World) -> None:
    await world.publish("quiet", """
debounce: {key: "${{ input.who }}", window: 2s, collect: true}
steps: [{id: all, set: {n: "${{ [i.n for i in input.items] }}"}}]
output: ${{ all.n }}
""")  # fmt: skip
    sent = [await world.bed.send("quiet", {"who": "ab"[n % 2], "n": n}, respond="accepted")
            for n in range(10)]  # fmt: skip
    said = await asyncio.wait_for(asyncio.gather(*sent), 60)

    executions = {one.execution for one in said}
    assert len(executions) == 2
    for execution in executions:
        await in_state(world, execution, "succeeded")
    again = await world.bed.call("quiet", {"who": "a", "n": 99}, wait_s=60)
    assert again.output == [99], "a later call begins anew"
    events = [await world.events(execution) for execution in executions]
    collected = sorted(e.count for es in events for e in es if hasattr(e, "count"))
    assert collected == [5, 5]


async def test_a_rate_spreads_starts_or_refuses_them(world: World) -> None:
    await world.publish("slow", f"""
rate: {{limit: 2, per: 3s, then: queue}}
steps: [{step("one", "/one")}]
""")  # fmt: skip
    await world.publish(
        "strict", "rate: {limit: 2, per: 1h, then: reject}\nsteps: [{id: a, set: {}}]"
    )
    await asyncio.gather(*[(await world.bed.send("slow", {}, wait_s=60)) for _ in range(6)])
    times = sorted(seen.at for seen in world.receiver.seen)
    # The receiver hears of a start a while after it: on a busy machine of each another while.
    assert all(later - earlier > 1.5 for earlier, later in zip(times, times[2:], strict=False))

    said = [await world.bed.call("strict", {}) for _ in range(3)]
    assert [one.status for one in said] == ["finished", "finished", "refused"]
    assert said[2].problem and said[2].problem["code"] == "rate-limited"


async def test_what_is_urgent_is_claimed_first(world: World) -> None:
    for executor in world.bed.executors[1:]:
        await executor.stop()
    del world.bed.executors[1:]
    await world.publish("later", f"priority: -5\nsteps: [{step('l', '/later')}]")
    await world.publish("sooner", f"priority: 5\nsteps: [{step('s', '/sooner')}]")
    gate = hold(world)
    for n in range(20):
        await world.bed.send("later", {"n": n}, respond="accepted", deadline_s=60)
    await eventually(lambda: _timers(world), lambda count: count == 20)
    for n in range(3):
        await world.bed.send("sooner", {"n": n}, respond="accepted", deadline_s=60)
    await eventually(lambda: _timers(world), lambda count: count == 23)
    gate.set()
    await eventually(lambda: _timers(world), lambda count: count == 0, 40)

    last = max(at for at, path in enumerate(world.paths) if path == "/sooner")
    assert last < len(world.paths) - 4, "the urgent ones did not wait for all that came before"


async def _timers(world: World) -> int:
    async with world.engine.service.database.hot.connection() as connection:
        row: Any = await (await connection.execute("select count(*) from timers")).fetchone()
        return row[0]
