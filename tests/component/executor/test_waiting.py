"""Pauses, people, sub-workflows and code on real servers: what an execution waits for."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from tests_support.blocks import World, in_state, one_world, step

from libs.common.testing import eventually
from services.executor.contract import AlreadyDecided, ApprovalClosed, NotPaused
from services.executor.domain import Cancel, Decide, Pause, Resume
from tests.fakes.receiver import Answer


@pytest.fixture
async def world(servers: Any) -> Any:
    async with one_world(servers) as made:
        yield made


async def test_a_paused_execution_holds_and_goes_on_where_it_was(world: World) -> None:
    gate = asyncio.Event()

    async def reply(seen: Any) -> Answer:
        if seen.path == "/one":
            await gate.wait()
        return Answer()

    world.reply = reply
    future = await world.send(f"steps: [{step('one', '/one')}, {step('two', '/two')}]")
    execution = await world.seen("/one")
    await world.signal(execution, Pause(reason=None))
    gate.set()
    await in_state(world, execution, "paused")
    await asyncio.sleep(0.5)
    assert world.paths == ["/one"], "it holds before the next step"
    await world.signal(execution, Resume("go-on", None))
    said = await asyncio.wait_for(future, 60)

    assert said.outcome == "succeeded"
    assert world.paths == ["/one", "/two"]
    with pytest.raises(Exception, match="ended"):
        await world.signal(execution, Resume("go-on", None))


PAUSING = f"""
steps:
  - {step("flaky", "/flaky", retry="{attempts: 2, initial: 10ms, then: pause}")}
output: ${{{{ flaky.status }}}}
"""


@pytest.mark.parametrize(
    ("decision", "outcome"), [("retry", "succeeded"), ("fail", "failed"), ("accept", "succeeded")]
)
async def test_the_last_failed_attempt_may_wait_for_a_person(
    world: World, decision: str, outcome: str
) -> None:
    world.reply = lambda seen: Answer(500 if len(world.paths) <= 2 else 200)
    future = await world.send(PAUSING)
    execution = await world.waiting()
    await in_state(world, execution, "paused")
    value = await world.sealed(execution, {"status": 299}) if decision == "accept" else None
    await world.signal(execution, Resume(decision, value))
    said = await asyncio.wait_for(future, 60)

    assert said.outcome == outcome
    assert said.output == {"retry": 200, "fail": None, "accept": 299}[decision]
    assert len(world.paths) == (3 if decision == "retry" else 2)


async def test_only_what_is_paused_can_be_resumed(world: World) -> None:
    await world.send("steps: [{id: nap, wait: {for: 1h}}]")
    execution = await world.waiting()
    with pytest.raises(NotPaused):
        await world.signal(execution, Resume("go-on", None))


ASKING = """
steps:
  - id: ok
    approval:
      by: ["role:admin"]
      quorum: 2
      message: "Pay ${{ input.n }}?"
      input:
        schema: {type: object, properties: {n: {type: integer}}}
        value: {n: "${{ input.n }}"}
output: {decision: "${{ ok.decision }}", n: "${{ ok.input.n }}", by: "${{ len(ok.decided_by) }}"}
"""


async def test_a_quorum_of_people_approves_and_an_edited_input_is_what_counts(world: World) -> None:
    future = await world.send(ASKING)
    execution = await world.waiting()
    approval = await world.approval(execution)
    edited = await world.sealed(execution, {"n": 41})
    await world.signal(execution, _said(approval, "per_a", "approved"))
    await world.signal(execution, _said(approval, "per_b", "approved", edited))
    with pytest.raises(AlreadyDecided):
        await world.signal(execution, _said(approval, "per_b", "approved"))
    await world.signal(execution, _said(approval, "per_a", "approved"))
    said = await asyncio.wait_for(future, 60)

    assert said.output == {"decision": "approved", "n": 41, "by": 2}
    with pytest.raises(ApprovalClosed):
        await world.signal(execution, _said(approval, "per_c", "approved"))


async def test_one_rejection_fails_the_step(world: World) -> None:
    future = await world.send(ASKING)
    execution = await world.waiting()
    await world.signal(execution, _said(await world.approval(execution), "per_a", "rejected"))
    said = await asyncio.wait_for(future, 60)

    assert (said.outcome, said.error_type) == ("failed", "approval-rejected")


def _said(approval: str, person: str, decision: str, edited: str | None = None) -> Decide:
    return Decide(approval, person, True, "per_1", decision, None, edited, datetime.now(UTC))


async def test_an_approval_that_nobody_decides_ends_by_its_policy(world: World) -> None:
    said = await world.run("""
steps:
  - id: ok
    approval: {by: ["role:admin"], message: "well?", timeout: 300ms, on_timeout: approve}
output: ${{ ok.decision }}
""")

    assert said.output == "timed-out"


async def test_a_sub_workflow_is_awaited_and_its_failure_is_the_steps_failure(world: World) -> None:
    await world.publish("double", """
input: {type: object, properties: {n: {type: integer}}, required: [n]}
steps: [{id: nap, wait: {for: 200ms}}, {id: twice, set: {n: "${{ input.n * 2 }}"}}]
output: ${{ twice.n }}
""")  # fmt: skip
    await world.publish("broken", "steps: [{id: no, set: {x: '${{ 1 / 0 }}'}}]")
    said = await world.run("""
steps:
  - id: first
    workflow: double
    with: {n: "${{ input.n }}"}
  - id: second
    try: {steps: [{id: bad, workflow: broken}]}
    catch: [{steps: [], output: "${{ error.type }}"}]
  - id: third
    workflow: double
    with: {n: 1}
    detached: true
output: ["${{ first }}", "${{ second }}", "${{ has(third.execution) }}"]
""")

    assert said.output == [14, "workflow-failed", True]


async def test_a_child_that_ended_before_somebody_else_took_its_parent_is_heard(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.publish("quick", "steps: [{id: one, set: {n: 1}}]")
    engine, stuck = world.engine, asyncio.Event()
    commit = engine.commit

    async def all_but_the_wait(decision: Any) -> Any:
        """It stops before the commit that says for what the parent waits."""
        if decision.op == "keep" and not decision.lease_s and decision.admission is None:
            stuck.set()
            await asyncio.Event().wait()
        return await commit(decision)

    monkeypatch.setattr(engine, "commit", all_but_the_wait)
    future = await world.send("steps: [{id: child, workflow: quick}]\noutput: ${{ child.one.n }}")
    await asyncio.wait_for(stuck.wait(), 10)
    await eventually(lambda: _count(world, "outcome = 'succeeded'"), lambda count: count == 1)
    await world.kill_and_replace()

    assert (await asyncio.wait_for(future, 60)).output == 1


async def _count(world: World, where: str) -> int:
    async with world.engine.service.database.hot.connection() as connection:
        found = await connection.execute(f"select count(*) from executions where {where}".encode())
        row: Any = await found.fetchone()
        return row[0]


async def test_cancelling_a_parent_cancels_the_child_that_it_waits_for(world: World) -> None:
    await world.publish("sleeper", "steps: [{id: nap, wait: {for: 1h}}]")
    future = await world.send("steps: [{id: first, workflow: sleeper}]")
    execution = await world.waiting()
    child = await world.child_of(execution)
    await world.signal(execution, Cancel(rollback=False, reason=None))

    assert (await asyncio.wait_for(future, 60)).outcome == "cancelled"
    await in_state(world, child, "cancelled")


async def test_python_computes_and_its_calls_are_durable_steps(world: World) -> None:
    stuck = asyncio.Event()

    async def reply(seen: Any) -> Answer:
        if seen.path == "/second" and not stuck.is_set():
            stuck.set()
            await asyncio.sleep(30)
        return Answer(body=b'{"n": %d}' % len(seen.path))

    world.reply = reply
    future = await world.send("""
steps:
  - id: code
    python: |
      local = [given["n"]]
      for name in ["first", "second", "third"]:
          answer = http_request(method="POST", url="http://127.0.0.1:PORT/" + name)
          local.append(answer["json"]["n"])
      return {"all": local}
    with: {given: "${{ input }}"}
    uses: [http-request@1]
    timeout: 60s
output: ${{ code.all }}
""")
    await asyncio.wait_for(stuck.wait(), 10)
    await world.kill_and_replace()
    said = await asyncio.wait_for(future, 60)

    assert said.output == [7, 6, 7, 6]
    assert world.paths == ["/first", "/second", "/second", "/third"]
    assert world.key_of("/second", 0) == world.key_of("/second", 1) == f"{said.execution}:code.2"
