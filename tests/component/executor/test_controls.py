"""Cancel, pause and resume in every state, over the bus; and a step that ignores that it is cut."""

import asyncio
from typing import Any

import pytest
from tests_support.blocks import World, in_state, one_world, step

from libs.common.errors import DomainError
from libs.common.testing import eventually
from services.executor.connectors.catalog import CATALOG
from services.executor.connectors.connector import Outcome
from services.executor.contract import (
    CancelExecution,
    FindExecutions,
    PauseExecution,
    ResumeExecution,
)
from services.executor.domain import Cancel, Pause
from tests.fakes.receiver import Answer

SLEEPS = "steps: [{id: nap, wait: {for: 1h}}]"
UNDOING = f"""
steps:
  - {step("made", "/made", undo="/unmade")}
  - {step("bad", "/bad")}
"""


@pytest.fixture
async def world(servers: Any) -> Any:
    async with one_world(servers) as made:
        yield made


async def ask(world: World, command: Any) -> Any:
    return (await world.bed.bus.ask(command, world.bed.meta)).value


async def test_cancel_is_idempotent_in_the_states_of_a_live_execution(world: World) -> None:
    """Waiting, paused, running: terminal soon, and the second cancel changes nothing."""
    gate = asyncio.Event()

    async def reply(seen: Any) -> Answer:
        await gate.wait()
        return Answer()

    world.reply = reply
    waiting = await begin(world, SLEEPS, "waiting")
    paused = await begin(world, SLEEPS, "waiting")
    await ask(world, PauseExecution(execution_id=paused))
    await in_state(world, paused, "paused")
    await world.send(f"steps: [{step('slow', '/slow')}]")
    running = await world.seen("/slow")
    await in_state(world, running, "running")

    for execution in (waiting, paused, running):
        for _ in range(2):
            shown = await ask(world, CancelExecution(execution_id=execution))
            assert shown["cancel_requested"]
        await in_state(world, execution, "cancelled")
        kinds = [type(e).__name__ for e in await world.events(execution)]
        assert kinds.count("CancelRequested") == kinds.count("ExecutionFinished") == 1
    gate.set()


async def begin(world: World, text: str, status: str) -> str:
    before = set(await world._parked())
    await world.send(text)
    (execution,) = await eventually(lambda: _others(world, before), lambda found: len(found) == 1)
    await in_state(world, execution, status)
    return execution


async def _others(world: World, before: set[str]) -> list[str]:
    return [one for one in await world._parked() if one not in before]


async def test_a_queued_execution_is_cancelled_before_it_began(world: World) -> None:
    text = f"concurrency: {{key: '${{{{ 1 }}}}', limit: 1}}\n{SLEEPS}"
    await world.publish("one", text)
    first = await world.bed.call("one", {"n": 1}, respond="accepted")
    await in_state(world, first.execution, "waiting")
    queued = (await world.bed.call("one", {"n": 2}, respond="accepted")).execution
    shown = await world.shown(queued)
    assert (shown["status"], shown["queued_for"]) == ("queued", "concurrency-key")

    for _ in range(2):
        await ask(world, CancelExecution(execution_id=queued))
    await in_state(world, queued, "cancelled")
    assert (await world.shown(queued))["queued_for"] is None


async def test_what_rolls_back_or_has_ended_is_cancelled_without_effect(world: World) -> None:
    gate = asyncio.Event()

    async def reply(seen: Any) -> Answer:
        if seen.path.startswith("/unmade"):
            await gate.wait()
        return Answer(400) if seen.path == "/bad" else Answer(body=b'{"id": 5}')

    world.reply = reply
    future = await world.send(UNDOING)
    execution = await world.seen("/unmade/5")
    await in_state(world, execution, "rolling-back")
    for _ in range(2):
        await ask(world, CancelExecution(execution_id=execution, rollback=True))
    with pytest.raises(DomainError, match="ending"):
        await ask(world, PauseExecution(execution_id=execution))
    gate.set()
    failed = await asyncio.wait_for(future, 60)
    world.reply = lambda seen: Answer()
    succeeded = await world.run("steps: [{id: a, set: {b: 1}}]")

    assert (failed.outcome, succeeded.outcome) == ("failed", "succeeded")
    cancelled = await begin(world, SLEEPS, "waiting")
    await world.signal(cancelled, Cancel(False, None))
    await in_state(world, cancelled, "cancelled")
    for ended, outcome in (
        (failed.execution, "failed"), (succeeded.execution, "succeeded"),
        (cancelled, "cancelled"),
    ):  # fmt: skip
        before = len(await world.events(ended))
        for _ in range(2):
            shown = await ask(world, CancelExecution(execution_id=ended))
            assert shown["status"] == outcome
        for command in (PauseExecution, ResumeExecution):
            with pytest.raises(DomainError) as refused:
                await ask(world, command(execution_id=ended))
            assert refused.value.code == "execution-ended"
        assert len(await world.events(ended)) == before


async def test_a_step_that_ignores_the_cancel_holds_nothing_up_and_its_answer_is_late(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    async def stubborn(inputs: Any, attempt: Any) -> Outcome:
        begun.set()
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue
        return Outcome({"status": 200, "headers": {}, "json": None, "text": "", "size_bytes": 0})

    card = CATALOG["http-request@1"]
    monkeypatch.setitem(CATALOG, "http-request@1", _with(card, stubborn))
    future = await world.send(f"steps: [{step('slow', '/slow')}]")
    await asyncio.wait_for(begun.wait(), 60)
    execution = next(iter(world.engine.runs))
    await ask(world, CancelExecution(execution_id=execution))
    said = await asyncio.wait_for(future, 60)

    assert said.outcome == "cancelled"
    before = await world.events(execution)
    gate.set()
    timeline = await eventually(
        lambda: world.timeline(execution),
        lambda entries: any(e["kind"] == "late-result-refused" for e in entries),
    )
    late = next(e for e in timeline if e["kind"] == "late-result-refused")
    assert (late["step"], late["attempt"]) == ("slow", 1)
    assert len(await world.events(execution)) == len(before)
    assert (await world.shown(execution))["status"] == "cancelled"


def _with(card: Any, run: Any) -> Any:
    from dataclasses import replace

    return replace(card, run=run)


PAUSING = f"""
steps:
  - {step("flaky", "/flaky", retry="{attempts: 2, initial: 10ms, then: pause}")}
output: ${{{{ flaky.status }}}}
"""


async def test_the_step_that_paused_is_accepted_with_a_value(world: World) -> None:
    world.reply = lambda seen: Answer(500, b"broken down")
    future = await world.send(PAUSING)
    execution = await world.waiting()
    await in_state(world, execution, "paused")

    for wrong in ("retry", "fail", "go-on"):
        with pytest.raises(DomainError) as refused:
            await ask(world, ResumeExecution(execution_id=execution, decision=wrong, value=1))
        assert refused.value.errors[0].pointer == "/value"
    shown = await ask(world, ResumeExecution(
        execution_id=execution, decision="accept", value={"status": 299}))  # fmt: skip
    assert shown["status"] != "paused"
    said = await asyncio.wait_for(future, 60)
    assert (said.outcome, said.output) == ("succeeded", 299)


async def test_what_is_not_paused_is_not_resumed_and_a_second_pause_is_none(world: World) -> None:
    execution = await begin(world, SLEEPS, "waiting")
    with pytest.raises(DomainError) as refused:
        await ask(world, ResumeExecution(execution_id=execution))
    assert refused.value.code == "not-paused"
    for _ in range(2):
        shown = await ask(world, PauseExecution(execution_id=execution, reason="wait for Ada"))
        assert shown["status"] == "paused"
    await in_state(world, execution, "paused")
    paused = [e for e in await world.events(execution) if type(e).__name__ == "ExecutionPaused"]
    assert len(paused) == 1
    assert "Ada" not in str(paused[0].reason)
    with pytest.raises(DomainError) as refused:
        await ask(world, ResumeExecution(execution_id=execution, decision="retry"))
    assert refused.value.code == "not-paused", "no step paused it"
    await ask(world, ResumeExecution(execution_id=execution))
    await in_state(world, execution, "waiting")
    await world.signal(execution, Pause(None))
    await in_state(world, execution, "paused")


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("debounce: {key: '${{ 1 }}', window: 1h}", "debounce"),
        ("rate: {limit: 1, per: 1h, then: queue}", "rate"),
    ],
)
async def test_what_is_queued_says_for_what(world: World, setting: str, reason: str) -> None:
    await world.publish("held", f"{setting}\n{SLEEPS}")
    if reason == "rate":
        await world.bed.call("held", {"n": 0}, respond="accepted")
    execution = (await world.bed.call("held", {"n": 1}, respond="accepted")).execution
    shown = await world.shown(execution)
    assert (shown["status"], shown["queued_for"]) == ("queued", reason)
    listed = await eventually(lambda: _listed(world), bool)
    assert [(e["id"], e["queued_for"]) for e in listed] == [(execution, reason)]
    await ask(world, CancelExecution(execution_id=execution))
    await in_state(world, execution, "cancelled")


async def _listed(world: World) -> list[Any]:
    return (await ask(world, FindExecutions(status=["queued"])))["data"]
