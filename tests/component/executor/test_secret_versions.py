"""The log tells by name and version which secret a call used; its value is only in the call."""

from typing import Any

from tests_support.engines import Bed, make_bed
from tests_support.servers import Servers

from libs.common.testing import eventually
from services.executor.contract import FindExecution
from services.workflows.contract import ArchiveWorkflow, DeleteSecret
from tests.fakes.receiver import Answer, Receiver, Seen

CALLS = """
troth: 1
name: calls
on:
  - webhook: {path: calls, verify: {scheme: none}, respond: result, timeout: 30s}
steps:
  - id: post
    uses: http-request@1
    with:
      method: POST
      url: ${{ vars.receiver }}
      headers: {authorization: "Bearer ${{ secret.api }}", x-key: "${{ secret.key }}"}
    retry: {attempts: 3, initial: 10ms, max: 20ms, on: [server-error]}
output: ${{ post.status }}
"""


async def _events(bed: Bed, execution: str) -> list[Any]:
    return await bed.executors[0].store.load(f"execution-{bed.org}-{execution}")


async def _shown(bed: Bed, execution: str) -> Any:
    return (await bed.bus.ask(FindExecution(execution_id=execution), bed.meta)).value


async def _requests(bed: Bed, execution: str) -> list[Any]:
    """What each attempt was recorded to be about to send, opened."""
    key = await bed.keys.key(bed.org, "executions")
    return [
        key.open(one.json()["request"], one.subject)
        for one in await _events(bed, execution)
        if one.type == "executor.event.effect-began"
    ]


async def test_each_attempt_records_the_versions_that_it_uses(servers: Servers) -> None:
    async with Receiver() as receiver:
        bed = await make_bed(servers, allow=receiver.pair)

        async def changed_meanwhile(seen: Seen) -> Answer:
            if len(receiver.seen) == 1:
                await bed.store_secret("api", "s3cret-two")
                return Answer(500)
            return Answer()

        receiver.reply = changed_meanwhile
        try:
            await bed.set_variable("receiver", receiver.url)
            await bed.store_secret("api", "s3cret-one")
            for value in ("k-1", "k-2", "k-3"):
                await bed.store_secret("key", value)
            await bed.publish(CALLS)
            said = await bed.call("calls", {})

            sent = [(s.headers["authorization"], s.headers["x-key"]) for s in receiver.seen]
            assert sent == [("Bearer s3cret-one", "k-3"), ("Bearer s3cret-two", "k-3")]
            recorded = [request["headers"] for request in await _requests(bed, said.execution)]
            assert recorded == [
                {
                    "authorization": {"$template": ["Bearer ", {"$secret": "api", "version": n}]},
                    "x-key": {"$secret": "key", "version": 3},
                }
                for n in (1, 2)
            ]
        finally:
            await bed.close()


async def test_a_secret_that_is_gone_fails_the_step_before_anything_is_sent(
    servers: Servers,
) -> None:
    async with Receiver() as receiver:
        bed = await make_bed(servers, allow=receiver.pair)
        try:
            await bed.set_variable("receiver", receiver.url)
            await bed.store_secret("api", "s3cret")
            await bed.store_secret("key", "k")
            pause = "  - {id: pause, wait: {for: 2s}}\n"
            workflow = await bed.publish(CALLS.replace("  - id: post\n", f"{pause}  - id: post\n"))
            accepted = await bed.call("calls", {}, respond="accepted")
            await bed.bus.ask(ArchiveWorkflow(workflow=workflow), bed.meta)
            await bed.bus.ask(DeleteSecret(name="key"), bed.meta)

            shown = await eventually(
                lambda: _shown(bed, accepted.execution), lambda s: s["outcome"] is not None
            )
            assert (shown["outcome"], shown["error"]["type"]) == ("failed", "input-invalid")
            assert receiver.connections == 0
            kinds = {one.type.rpartition(".")[2] for one in await _events(bed, shown["id"])}
            assert "effect-began" not in kinds
        finally:
            await bed.close()


BRANCHES = """
troth: 1
name: branches
on:
  - webhook: {path: branches, verify: {scheme: none}, respond: result}
steps:
  - id: route
    choose:
      - {when: "${{ input.n > 10 }}", steps: [{id: ok, set: {x: 1}}]}
      - {when: "${{ input.n > 5 }}", steps: [{id: late, set: {x: 2}}]}
  - id: pause
    wait: {for: "${{ route.ok.x }}s"}
output: done
"""


async def test_a_step_that_did_not_run_is_named_where_the_execution_failed(bed: Bed) -> None:
    await bed.publish(BRANCHES)

    said = await bed.call("branches", {"n": 7})

    assert (said.outcome, said.error_type) == ("failed", "expression-missing-key")
    shown = await _shown(bed, said.execution)
    assert shown["error"]["step"] == "pause"
    key = await bed.keys.key(bed.org, "executions")
    last = (await _events(bed, said.execution))[-1]
    message = key.open(last.json()["error"]["message"], last.subject)
    assert "step ok did not run: branch 2 was taken" in message
