"""The life of executions on real servers: compute, wait, call, fail, repeat, cancel."""

import asyncio

from tests_support.engines import Bed, make_bed
from tests_support.servers import Servers

from libs.common.testing import eventually
from services.executor.contract import (
    CancelExecution,
    FindCalls,
    FindExecution,
    FindExecutions,
    FindTimeline,
    OpenData,
)  # fmt: skip
from tests.fakes.receiver import Answer, Receiver

SUMS = """
troth: 1
name: sums
input:
  type: object
  required: [n]
  properties: {n: {type: integer}, name: {type: string, default: you}}
on:
  - webhook: {path: sums, verify: {scheme: none}, respond: result}
steps:
  - id: a
    set: {double: "${{ input.n * 2 }}", hello: "hi ${{ input.name }}"}
  - id: b
    choose:
      - when: ${{ a.double > 6 }}
        steps: []
        output: big
    else: {steps: [], output: small}
  - id: c
    set: {result: "${{ a.double + 1 }}"}
output: {result: "${{ c.result }}", size: "${{ b }}", greet: "${{ a.hello }}"}
"""


async def test_a_webhook_computes_and_answers_with_two_events(bed: Bed) -> None:
    await bed.publish(SUMS)

    said = await bed.call("sums", {"n": 4})

    assert said.status == "finished"
    assert said.output == {"result": 9, "size": "big", "greet": "hi you"}
    shown = (await bed.bus.ask(FindExecution(execution_id=said.execution), bed.meta)).value
    assert (shown["status"], shown["outcome"]) == ("succeeded", "succeeded")
    kinds = await _kinds(bed, said.execution)
    for _ in range(5):  # results older than 50 ms are committed before the end, on a busy machine
        if "execution-progressed" in kinds:
            kinds = await _kinds(bed, (await bed.call("sums", {"n": 4})).execution)
    assert kinds == ["execution-started", "execution-finished"]


async def _kinds(bed: Bed, execution: str) -> list[str]:
    log = await bed.executors[0].store.load(f"execution-{bed.org}-{execution}")
    return [e.type.rpartition(".")[2] for e in log]


async def test_input_that_does_not_fit_is_refused_and_found_in_the_ledger(bed: Bed) -> None:
    await bed.publish(SUMS)

    said = await bed.call("sums", {"n": "four"})

    assert said.status == "refused"
    assert said.problem and said.problem["code"] == "invalid-input"
    assert said.problem["errors"][0]["pointer"] == "/n"
    seen = await eventually(lambda: _calls(bed), lambda calls: len(calls) == 1)
    assert (seen[0]["outcome"], seen[0]["reason"]) == ("refused", "invalid-input")


async def test_the_same_key_starts_one_execution_and_gets_its_answer(bed: Bed) -> None:
    await bed.publish(SUMS)

    both = await asyncio.gather(*(bed.call("sums", {"n": 1}, key="k") for _ in range(5)))
    other = await bed.call("sums", {"n": 2}, key="k")

    assert {said.execution for said in both} == {both[0].execution}
    assert all(said.output == both[0].output for said in both)
    assert other.status == "refused"
    assert other.problem and other.problem["code"] == "idempotency-key-reused"
    page = (await bed.bus.ask(FindExecutions(), bed.meta)).value
    assert len(page["data"]) <= 1


WAITS = """
troth: 1
name: waits
on:
  - webhook: {path: waits, verify: {scheme: none}, respond: result, timeout: 20s}
steps:
  - id: before
    set: {n: 1}
  - id: pause
    wait: {for: 1s}
  - id: after
    set: {n: "${{ before.n + 1 }}", why: "${{ pause.reason }}"}
output: ${{ after }}
"""


async def test_a_wait_keeps_nothing_in_memory_and_answers_at_the_end(bed: Bed) -> None:
    await bed.publish(WAITS)

    future = await bed.send("waits", {}, wait_s=60)
    engine = bed.executors[0].engine
    await eventually(lambda: _timers(bed), lambda rows: len(rows) == 1)
    await eventually(_value(lambda: len(engine.runs)), lambda held: held == 0)
    said = await asyncio.wait_for(future, 60)

    assert said.output == {"n": 2, "why": "due"}
    assert await _timers(bed) == []


POSTS = """
troth: 1
name: posts
on:
  - webhook: {path: posts, verify: {scheme: none}, respond: result, timeout: 30s}
steps:
  - id: each
    for_each: ${{ input }}
    as: one
    concurrency: 5
    steps:
      - id: post
        uses: http-request@1
        with: {method: POST, url: "${{ vars.receiver }}/x", json: "${{ one }}"}
        retry: {attempts: 4, initial: 20ms, max: 50ms, on: [server-error]}
    output: ${{ post.json.ok }}
output: ${{ each }}
"""


async def test_effects_carry_one_key_each_and_are_retried(servers: Servers) -> None:
    failed: set[str] = set()

    def flaky(seen):
        key = seen.headers["idempotency-key"]
        if seen.json % 3 == 0 and key not in failed:
            failed.add(key)
            return Answer(500)
        return Answer(200, b'{"ok": true}')

    async with Receiver(flaky) as receiver:
        bed = await make_bed(servers, allow=f"127.0.0.1:{receiver.port}")
        try:
            await bed.set_variable("receiver", receiver.url)
            await bed.publish(POSTS)
            said = await bed.call("posts", list(range(12)))
            assert said.output == [True] * 12
            counts = receiver.per_key()
            assert set(counts) == {f"{said.execution}:post[{i}]" for i in range(12)}
            assert all(n == (2 if int(k[:-1].split("[")[1]) % 3 == 0 else 1)
                       for k, n in counts.items())  # fmt: skip
            timeline = (await bed.bus.ask(
                FindTimeline(execution_id=said.execution, limit=200), bed.meta)).value  # fmt: skip
            kinds = [entry["kind"] for entry in timeline["data"]]
            assert kinds.count("effect-began") == 16
            data = OpenData(execution_id=said.execution, step="post[3]")
            assert (await bed.bus.ask(data, bed.meta)).value["result"]["status"] == 200
        finally:
            await bed.close()


async def test_what_is_inside_is_not_reached(servers: Servers) -> None:
    async with Receiver() as receiver:
        bed = await make_bed(servers)
        try:
            await bed.set_variable("receiver", receiver.url)
            await bed.publish(POSTS)
            said = await bed.call("posts", [1])
            assert (said.outcome, said.error_type) == ("failed", "egress-refused")
            assert receiver.connections == 0
        finally:
            await bed.close()


async def test_a_cancel_ends_a_waiting_execution_and_a_running_effect(servers: Servers) -> None:
    async with Receiver(lambda seen: Answer(after_s=30)) as receiver:
        bed = await make_bed(servers, allow=f"127.0.0.1:{receiver.port}")
        try:
            await bed.set_variable("receiver", receiver.url)
            await bed.publish(POSTS)
            await bed.publish(WAITS.replace("1s", "30d"))
            running = await bed.send("posts", [1], respond="accepted")
            waiting = await bed.send("waits", {}, respond="accepted")
            await eventually(_value(lambda: len(receiver.seen)), lambda n: n == 1)
            for said in [await _done(running), await _done(waiting)]:
                await bed.bus.ask(CancelExecution(execution_id=said.execution), bed.meta)
                shown = await eventually(
                    lambda e=said.execution: _shown(bed, e), lambda s: s["outcome"] is not None
                )
                assert shown["status"] == "cancelled"
                again = await bed.bus.ask(CancelExecution(execution_id=said.execution), bed.meta)
                assert again.value["status"] == "cancelled"
            assert await _timers(bed) == []
        finally:
            await bed.close()


async def _done(future):
    return await asyncio.wait_for(future, 60)


async def _shown(bed: Bed, execution: str):
    return (await bed.bus.ask(FindExecution(execution_id=execution), bed.meta)).value


async def _calls(bed: Bed):
    return (await bed.bus.ask(FindCalls(), bed.meta)).value["data"]


async def _timers(bed: Bed):
    async with bed.executors[0].database.hot.connection() as connection:
        cursor = await connection.execute("select execution from timers")
        return await cursor.fetchall()


def _value(look):
    async def asked():
        return look()

    return asked
