"""Executions done again from a step, and moved to another version, on real servers."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from tests_support.blocks import World, one_world, step
from tests_support.replays import ended, output, replayed, republished

from libs.common.errors import Conflict, DomainError, Rejected
from services.executor import migrating, replaying
from services.executor.contract import MigrateExecution, ReplayExecution
from services.executor.deciding import Decide
from services.executor.domain import Pause, Resume
from tests.fakes.receiver import Answer


@pytest.fixture
async def world(servers: Any) -> Any:
    async with one_world(servers) as made:
        yield made


LOOP = f"""
steps:
  - {step("first", "/first")}
  - id: each
    for_each: ${{{{ [1, 2, 3] }}}}
    as: n
    concurrency: 3
    failures: collect
    steps: [{step("post", "/post/${{ n }}")}]
    output: ${{{{ n * 10 }}}}
  - {step("last", "/last")}
output: ${{{{ [e.ok for e in each] }}}}
"""


async def test_one_item_is_done_again_and_everything_before_it_is_taken_over(world: World) -> None:
    world.reply = lambda seen: Answer(400) if seen.path == "/post/2" else Answer()
    said = await world.run(LOOP)
    assert said.output == [True, False, True]
    world.reply = lambda seen: Answer()
    before = len(world.paths)

    shown = await replayed(world, said.execution, from_step="post[1]")
    again = await ended(world, shown["id"])

    assert (shown["mode"], again["outcome"]) == ("replay", "succeeded")
    assert sorted(world.paths[before:]) == ["/last", "/post/2"]
    assert await output(world, shown["id"]) == [True, True, True]
    key = world.key_of("/post/2", 1)
    assert key == f"{shown['id']}:post[1]"
    old = [e["kind"] for e in await world.timeline(said.execution)]
    assert old[-1] == "replayed"
    started = (await world.events(shown["id"]))[0]
    assert (started.replays.execution_id, started.replays.from_step) == (said.execution, "post[1]")
    assert (await world.shown(said.execution))["outcome"] == "succeeded"


async def test_a_replay_survives_a_crash_and_the_same_command_makes_one(world: World) -> None:
    said = await world.run(LOOP)
    meta = world.bed.meta.model_copy(update={
        "command_id": "0192f3a4-0000-7000-8000-000000000001", "command_digest": "d"})  # fmt: skip
    asked = ReplayExecution(execution_id=said.execution, from_step="last")
    one = (await world.bed.bus.ask(asked, meta)).value
    two = (await world.bed.bus.ask(asked, meta)).value

    await world.kill_and_replace()

    assert one["id"] == two["id"]
    assert (await ended(world, one["id"]))["outcome"] == "succeeded"
    assert world.paths.count("/first") == 1


async def test_a_replay_is_told_of_in_the_old_one_although_its_maker_died_in_between(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = await world.run(LOOP)
    meta = world.bed.meta.model_copy(update={
        "command_id": "0192f3a4-0000-7000-8000-000000000002", "command_digest": "d"})  # fmt: skip
    asked = ReplayExecution(execution_id=said.execution, from_step="last")

    async def dies(*given: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(replaying, "signal", dies)
        with pytest.raises(DomainError):
            await world.bed.bus.ask(asked, meta)
    shown = [(await world.bed.bus.ask(asked, meta)).value["id"] for _ in range(2)]
    kinds = [type(e).__name__ for e in await world.events(said.execution)]

    assert shown[0] == shown[1]
    assert kinds.count("ExecutionReplayed") == 1


async def test_what_was_undone_is_not_leaned_on(world: World) -> None:
    made = Answer(body=b'{"id": 1}')
    world.reply = lambda seen: Answer(400) if seen.path == "/bad" else made
    said = await world.run(f"""
steps:
  - {step("made", "/made", undo="/unmade")}
  - {step("bad", "/bad")}
""")
    world.reply = lambda seen: made

    with pytest.raises(Conflict) as refused:
        await replayed(world, said.execution, from_step="bad")
    assert refused.value.code == "not-compatible"
    assert [(e.pointer, e.rule) for e in refused.value.errors] == [("made", "undone")]
    shown = await replayed(world, said.execution, from_step="made")
    assert (await ended(world, shown["id"]))["outcome"] == "succeeded"


async def test_a_step_that_is_none_is_refused(world: World) -> None:
    said = await world.run(f"steps: [{step('a', '/a')}]")

    with pytest.raises(Rejected) as refused:
        await replayed(world, said.execution, from_step="nothing")
    assert refused.value.code == "unknown-step"
    with pytest.raises(Rejected):
        await replayed(world, said.execution, version=9)


async def test_the_newest_version_goes_on_from_what_the_old_one_recorded(world: World) -> None:
    world.reply = lambda seen: Answer(400) if seen.path == "/bad" else Answer()
    said = await world.run(f"steps: [{step('a', '/a')}, {step('bad', '/bad')}]")
    await republished(world, f"steps: [{step('a', '/other')}, {step('bad', '/good')}]")

    shown = await replayed(world, said.execution, from_step="bad", version="newest")

    assert shown["version"] == 2
    assert (await ended(world, shown["id"]))["outcome"] == "succeeded"
    assert world.paths == ["/a", "/bad", "/good"]
    await republished(world, f"steps: [{step('b', '/b')}, {step('bad', '/good')}]")
    with pytest.raises(Conflict) as refused:
        await replayed(world, said.execution, from_step="bad", version="newest")
    assert [(e.pointer, e.rule) for e in refused.value.errors] == [("a", "step-gone")]


async def test_a_replay_from_the_start_may_have_another_input(world: World) -> None:
    said = await world.run(
        f"steps: [{step('a', '/a')}, {{id: b, set: {{n: '${{{{ input.n }}}}'}}}}]\n"
        "output: ${{ b.n }}\n"
    )

    shown = await replayed(world, said.execution, input={"n": 9})

    await ended(world, shown["id"])
    assert await output(world, shown["id"]) == 9
    assert world.paths == ["/a", "/a"]


async def test_what_people_agreed_to_does_not_hold_for_another_input(world: World) -> None:
    future = await world.send(f"""
steps:
  - {{id: ok, approval: {{by: ["role:admin"], message: "pay?"}}}}
  - {step("pay", "/pay")}
""")
    approval = await world.approval(await world.waiting())
    await world.signal(await world.waiting(), Decide(
        approval, "per_a", True, "per_1", "approved", None, None, datetime.now(UTC)
    ))  # fmt: skip
    said = await asyncio.wait_for(future, 60)

    with pytest.raises(Conflict) as refused:
        await replayed(world, said.execution, from_step="pay", input={"n": 9})
    assert refused.value.code == "not-compatible"
    assert [(e.pointer, e.rule) for e in refused.value.errors] == [("ok", "approval")]
    same = await replayed(world, said.execution, from_step="pay")
    assert (await ended(world, same["id"]))["outcome"] == "succeeded"
    with pytest.raises(Conflict):
        await replayed(world, same["id"], from_step="pay", input={"n": 9})
    again = await replayed(world, said.execution, from_step="ok", input={"n": 9})
    assert await world.approval(again["id"]), "they are asked anew"
    assert world.paths == ["/pay", "/pay"]


WAITING = f"""
steps:
  - {step("a", "/a")}
  - {{id: hold, wait: {{for: 8s}}}}
  - {step("b", "/b")}
"""


async def migrated(world: World, execution: str, version: int) -> dict[str, Any]:
    asked = MigrateExecution(execution_id=execution, version=version)
    return (await world.bed.bus.ask(asked, world.bed.meta)).value


async def test_a_waiting_execution_goes_on_with_another_version(world: World) -> None:
    said = await world.send(WAITING)
    execution = await world.waiting()
    await republished(world, WAITING.replace("/b", "/new"))
    await republished(world, WAITING.replace("id: hold", "id: other"))

    with pytest.raises(Conflict) as refused:
        await migrated(world, execution, 3)
    assert refused.value.code == "not-compatible"
    assert ("hold", "step-gone") in {(e.pointer, e.rule) for e in refused.value.errors}
    assert (await migrated(world, execution, 2))["version"] == 2
    await ended(world, execution)

    assert (await said).outcome == "succeeded"
    assert world.paths == ["/a", "/new"]


async def test_what_came_while_a_move_was_checked_is_not_passed_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.send(WAITING)
    execution = await world.waiting()
    await republished(world, WAITING.replace("/b", "/new"))
    find = migrating.version_of

    async def found(*given: Any) -> Any:
        await world.signal(execution, Pause(None))
        return await find(*given)

    monkeypatch.setattr(migrating, "version_of", found)
    with pytest.raises(Conflict) as refused:
        await migrated(world, execution, 2)
    assert refused.value.code == "execution-running"


async def test_a_paused_execution_is_moved_and_one_that_runs_is_not(world: World) -> None:
    world.reply = lambda seen: Answer(after_s=3) if seen.path == "/a" else Answer()
    text = f"steps: [{step('a', '/a')}, {step('b', '/b')}]"
    await world.send(text)
    execution = await world.seen("/a")
    await republished(world, text.replace("/b", "/new"))

    with pytest.raises(Conflict) as refused:
        await migrated(world, execution, 2)
    assert refused.value.code == "execution-running"
    await world.signal(execution, Pause(None))
    await world.waiting()
    assert (await migrated(world, execution, 2))["version"] == 2
    await world.signal(execution, Resume("go-on", None))

    assert (await ended(world, execution))["outcome"] == "succeeded"
    assert world.paths == ["/a", "/new"]
    with pytest.raises(Conflict) as refused:
        await migrated(world, execution, 1)
    assert refused.value.code == "execution-ended"
