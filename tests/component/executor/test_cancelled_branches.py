"""What a cancelled branch waited for is closed with it; and sub-workflows undo what they did."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from tests_support.blocks import World, in_state, one_world, step

from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from libs.common.testing import eventually
from services.executor.contract import (
    ApprovalClosed,
    CancelRequested,
    ExecutionProgressed,
    FindApprovals,
    FindEffects,
    FollowTimeline,
    WaitEnded,
)
from services.executor.domain import Cancel, Decide
from tests.fakes.receiver import Answer

SLEEPER = "steps: [{id: nap, wait: {for: 1h}}]"
WAITING = """
      people: {steps: [{id: ok, approval: {by: ["role:owner"], message: "well?"}}]}
      event: {steps: [{id: paid, wait: {event: {type: custom.paid}}}]}
      child: {steps: [{id: below, workflow: sleeper}]}
      late: {steps: [{id: long, wait: {for: 2h}}]}
"""
BRANCHES = f"""
steps:
  - id: attempt
    try:
      steps:
        - id: both
          parallel:
{WAITING.replace("      ", "            ").rstrip()}
            bad: {{steps: [{step("b", "/bad")}]}}
    catch: [{{steps: [{{id: nap, wait: {{for: 1h}}}}]}}]
"""


@pytest.fixture
async def world(servers: Any) -> Any:
    async with one_world(servers) as made:
        yield made


async def test_a_branch_cancelled_by_its_sibling_asks_nobody_and_waits_for_nothing_any_more(
    world: World,
) -> None:
    gate = asyncio.Event()

    async def reply(seen: Any) -> Answer:
        await gate.wait()
        return Answer(400)

    world.reply = reply
    await world.publish("sleeper", SLEEPER)
    await world.send(BRANCHES)
    execution = await world.seen("/bad")
    gate.set()
    await eventually(lambda: world.events(execution), lambda events: "nap" in _waits(events))
    events = await world.events(execution)

    assert _waits(events) == {"nap"}, "what was cancelled is over"
    child = next(e.execution_id for e in events if getattr(e, "kind", "") == "workflow")
    await in_state(world, child, "cancelled")
    (asked,) = await eventually(
        lambda: _approvals(world), lambda rows: [row["status"] for row in rows] == ["cancelled"]
    )
    assert asked["execution"] == execution
    await in_state(world, execution, "waiting")
    await eventually(lambda: _listeners(world), lambda count: count == 0)
    late = Decide(asked["id"], "per_a", True, "per_s", "approved", None, None, datetime.now(UTC))
    with pytest.raises(ApprovalClosed):
        await world.signal(execution, late)


async def test_it_is_closed_in_the_commit_that_takes_the_failure(world: World) -> None:
    world.reply = lambda seen: Answer(400)
    await world.publish("sleeper", SLEEPER)
    await world.send(BRANCHES)
    execution = await world.seen("/bad")
    await eventually(lambda: world.events(execution), lambda events: "nap" in _waits(events))
    async with world.engine.service.database.hot.connection() as connection:
        cursor = await connection.execute(
            "select distinct xmin::text from log where type = %s or (type = %s and stream = %s)",
            (
                CancelRequested.type,
                WaitEnded.type,
                stream_of("execution", world.bed.org, execution),
            ),
        )
        moments = await cursor.fetchall()
    events = await world.events(execution)
    caught = [r.path for e in events if isinstance(e, ExecutionProgressed) for r in e.results]

    assert len(moments) == 1, "the waits and the child are closed by one transaction"
    assert "attempt#caught" in caught


async def test_a_branch_that_waits_for_a_person_runs_its_finally_when_its_sibling_fails(
    world: World,
) -> None:
    gate = asyncio.Event()

    async def reply(seen: Any) -> Answer:
        if seen.path == "/bad":
            await gate.wait()
            return Answer(400)
        return Answer()

    world.reply = reply
    future = await world.send(f"""
steps:
  - id: both
    parallel:
      people:
        steps:
          - id: guarded
            try: {{steps: [{{id: ok, approval: {{by: ["role:owner"], message: "well?"}}}}]}}
            finally: {{steps: [{step("last", "/last")}]}}
      bad: {{steps: [{step("b", "/bad")}]}}
""")
    execution = await world.seen("/bad")
    gate.set()
    said = await asyncio.wait_for(future, 25)

    assert (said.outcome, said.error_type) == ("failed", "client-error")
    assert world.paths == ["/bad", "/last"]
    assert world.key_of("/last") == f"{execution}:last"
    (asked,) = await eventually(
        lambda: _approvals(world), lambda rows: [row["status"] for row in rows] == ["cancelled"]
    )
    assert asked["execution"] == execution


async def test_a_cancel_that_was_not_heard_of_reaches_the_child_after_a_crash(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.publish("sleeper", SLEEPER)
    await world.send("steps: [{id: below, workflow: sleeper}]")
    execution = await world.waiting()
    child = await world.child_of(execution)
    monkeypatch.setattr(world.engine.children, "asked", lambda execution: None)
    monkeypatch.setattr(world.engine.committer, "cancelled", lambda execution: None)
    await world.signal(execution, Cancel(rollback=False, reason=None))
    await in_state(world, execution, "cancelled")
    await world.kill_and_replace()

    await in_state(world, child, "cancelled")


UNDONE = f"""
steps:
  - {step("one", "/one", undo="/gone")}
  - {step("two", "/two", undo="/gone")}
output: ok
"""


def numbered(seen: Any) -> Answer:
    """The answer's id is the last part of the path; `/bad` fails."""
    name = seen.path.rpartition("/")[2]
    return Answer(400) if name == "bad" else Answer(body=b'{"id": "%s"}' % name.encode())


PARENT = f"""
steps:
  - {step("before", "/before", undo="/gone")}
  - id: below
    workflow: middle
  - {{id: free, workflow: loose, detached: true}}
  - {step("after", "/after", undo="/gone")}
  - {{id: nap, wait: {{for: 300ms}}}}
  - {step("bad", "/bad")}
"""


async def publish_children(world: World) -> None:
    await world.publish("lowest", UNDONE.replace("/one", "/deep"))
    await world.publish("middle", f"""
steps:
  - {step("first", "/first", undo="/gone")}
  - {{id: deeper, workflow: lowest}}
output: done
""")  # fmt: skip
    await world.publish("loose", f"steps: [{step('l', '/loose', undo='/gone')}]")


async def test_a_parents_rollback_undoes_what_its_sub_workflows_did_in_its_order(
    world: World,
) -> None:
    world.reply = numbered
    await publish_children(world)
    said = await world.run(PARENT)

    assert said.error_type == "client-error"
    gone = [path for path in world.paths if path.startswith("/gone")]
    assert gone == ["/gone/after", "/gone/two", "/gone/deep", "/gone/first", "/gone/before"]
    assert (await world.shown(said.execution))["rollback"] == "done"
    child = await world.child_of(said.execution)
    shown = await eventually(lambda: world.shown(child), lambda s: s["rollback"] == "done")
    assert (shown["status"], shown["outcome"]) == ("succeeded", "succeeded")
    ledger = (await world.bed.bus.ask(FindEffects(execution_id=child), world.bed.meta)).value
    assert [(e["step"], e["undo"]["state"]) for e in ledger["data"]] == [("first", "undone")]
    assert world.key_of("/gone/first") == f"{child}:first:undo"
    kinds = [entry["kind"] for entry in await world.timeline(child)]
    assert kinds[-6:] == [
        "finished", "reversal-began", "undo-ended", "undo-began", "undo-ended", "reversal-ended",
    ]  # fmt: skip
    followed = (await world.bed.bus.ask(FollowTimeline(execution_id=child), world.bed.meta)).value
    assert followed["ended"], "whoever follows it is told that nothing more comes"


async def test_a_handler_undoes_the_sub_workflows_of_its_try_and_a_crash_repeats_none(
    world: World,
) -> None:
    stuck = asyncio.Event()

    async def reply(seen: Any) -> Answer:
        if seen.path == "/gone/deep" and not stuck.is_set():
            stuck.set()
            await asyncio.sleep(30)
        return numbered(seen)

    world.reply = reply
    await publish_children(world)
    future = await world.send(f"""
steps:
  - {{id: kept, workflow: loose}}
  - id: attempt
    try: {{steps: [{{id: below, workflow: middle}}, {step("bad", "/bad")}]}}
    catch: [{{steps: [], output: mended}}]
output: ${{{{ attempt }}}}
""")  # fmt: skip
    await asyncio.wait_for(stuck.wait(), 20)
    await world.kill_and_replace()
    said = await asyncio.wait_for(future, 60)

    assert said.output == "mended"
    gone = [path for path in world.paths if path.startswith("/gone")]
    assert gone == ["/gone/two", "/gone/deep", "/gone/deep", "/gone/first"]


async def test_a_parent_cancelled_without_rollback_lets_its_sub_workflows_effects_stand(
    world: World,
) -> None:
    world.reply = numbered
    await publish_children(world)
    future = await world.send(PARENT.replace("300ms", "1h"))
    execution = await eventually(lambda: _waiting_at(world, "nap"), bool)
    await world.signal(execution, Cancel(rollback=False, reason=None))

    assert (await asyncio.wait_for(future, 60)).outcome == "cancelled"
    assert not [path for path in world.paths if path.startswith("/gone")]


async def _waiting_at(world: World, path: str) -> str:
    for execution in await world._parked():
        if path in _waits(await world.events(execution)):
            return execution
    return ""


def _waits(events: list[Any]) -> set[str]:
    open_: set[str] = set()
    for event in events:
        if type(event).__name__ == "WaitBegan":
            open_.add(event.path)
        elif isinstance(event, WaitEnded):
            open_.discard(event.path)
    return open_


async def _approvals(world: World) -> list[dict[str, Any]]:
    person = Meta(organization=world.bed.org, actor="per_1", role="owner", request_id="req_1",
                  permissions=frozenset({"approvals:decide"}))  # fmt: skip
    return (await world.bed.bus.ask(FindApprovals(), person)).value["data"]


async def _listeners(world: World) -> int:
    async with world.engine.service.database.hot.connection() as connection:
        cursor = await connection.execute("select count(*) from listeners where owner like 'exe_%'")
        row: Any = await cursor.fetchone()
        return row[0]
