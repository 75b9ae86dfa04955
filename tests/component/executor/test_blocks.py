"""The blocks of the language on real servers: parallel, try, undo, sub-workflows, people, pause."""

import asyncio
from typing import Any

import pytest
from tests_support.blocks import World, one_world, step

from services.executor.domain import Cancel
from tests.fakes.receiver import Answer


@pytest.fixture
async def world(servers: Any) -> Any:
    async with one_world(servers) as made:
        yield made


async def test_parallel_branches_run_at_once_and_join_by_name(world: World) -> None:
    world.reply = lambda seen: Answer(after_s=0.4)
    said = await world.run(f"""
steps:
  - id: both
    parallel:
      left: {{steps: [{step("a", "/a")}], output: "${{{{ a.status }}}}"}}
      right: {{steps: [{step("b", "/b")}]}}
output: {{left: "${{{{ both.left }}}}", right: "${{{{ both.right.b.status }}}}"}}
""")

    assert said.output == {"left": 200, "right": 200}
    first, second = (seen.at for seen in world.receiver.seen)
    assert abs(first - second) < 0.35


async def test_the_first_failing_branch_cancels_the_others(world: World) -> None:
    world.reply = lambda seen: Answer(400) if seen.path == "/bad" else Answer(after_s=20)
    said = await world.run(f"""
steps:
  - id: both
    parallel:
      slow: {{steps: [{step("a", "/slow")}]}}
      bad: {{steps: [{step("b", "/bad")}]}}
""")

    assert (said.outcome, said.error_type) == ("failed", "client-error")
    kinds = {(e["step"], e["status"]) for e in await world.timeline(said.execution)}
    assert ("a", "failed") in kinds and ("b", "failed") in kinds


async def test_collected_failures_are_values(world: World) -> None:
    world.reply = lambda seen: Answer(400) if seen.path == "/bad" else Answer()
    said = await world.run(f"""
steps:
  - id: both
    parallel:
      good: {{steps: [{step("a", "/good")}], output: fine}}
      bad: {{steps: [{step("b", "/bad")}]}}
    failures: collect
output: ${{{{ [both.good, both.bad.ok, both.bad.error.type] }}}}
""")

    assert said.output == [{"ok": True, "value": "fine"}, False, "client-error"]


TRYING = f"""
steps:
  - id: attempt
    try:
      steps:
        - {step("made", "/made", undo="/unmade")}
        - {step("bad", "/bad")}
    catch:
      - on: [client-error]
        steps: [{step("told", "/told/${{ error.type }}/${{ error.step }}")}]
        output: {{caught: "${{{{ error.status }}}}"}}
    finally: {{steps: [{step("last", "/last")}]}}
output: ${{{{ attempt }}}}
"""


async def test_an_error_in_try_is_undone_then_handled_and_the_last_things_run(world: World) -> None:
    world.reply = lambda seen: Answer(400) if seen.path == "/bad" else Answer(body=b'{"id": 7}')
    said = await world.run(TRYING)

    assert said.output == {"caught": 400}
    assert world.paths == ["/made", "/bad", "/unmade/7", "/told/client-error/bad", "/last"]
    assert world.key_of("/unmade/7") == f"{said.execution}:made:undo"


async def test_an_error_that_no_handler_fits_goes_on_after_the_last_things(world: World) -> None:
    world.reply = lambda seen: Answer(500) if seen.path == "/bad" else Answer(body=b'{"id": 7}')
    said = await world.run(TRYING)

    assert (said.outcome, said.error_type) == ("failed", "server-error")
    assert world.paths.count("/last") == 1
    assert world.paths[-1] == "/unmade/7", "what completed is undone at the end, on_error or not"


UNDONE = f"""
on_error: {{steps: [{step("tell", "/tell/${{ error.type }}")}]}}
steps:
  - id: each
    for_each: ${{{{ [1, 2, 3] }}}}
    as: n
    steps: [{step("post", "/post/${{ n }}", undo="/gone")}]
  - {step("bad", "/bad")}
"""


async def test_a_failed_execution_undoes_its_effects_in_reverse_then_tells(world: World) -> None:
    world.reply = lambda seen: (
        Answer(400)
        if seen.path == "/bad"
        else Answer(body=b'{"id": "%s"}' % seen.path[-1:].encode())
    )
    said = await world.run(UNDONE)

    assert said.error_type == "client-error"
    assert world.paths[4:] == ["/gone/3", "/gone/2", "/gone/1", "/tell/client-error"]
    assert (await world.shown(said.execution))["rollback"] == "done"


async def test_an_undo_that_cannot_be_computed_is_said_and_the_rest_goes_on(world: World) -> None:
    world.reply = lambda seen: (
        Answer(400)
        if seen.path == "/bad"
        else Answer(body=b"{}" if seen.path[-1:] == "2" else b'{"id": 1}')
    )
    said = await world.run(UNDONE)

    assert world.paths.count("/gone/1") == 2
    assert (await world.shown(said.execution))["rollback"] == "incomplete"
    undone = [(e["step"], e["status"]) for e in await world.timeline(said.execution)
              if e["kind"] == "undo-ended"]  # fmt: skip
    assert undone == [("post[2]", "done"), ("post[1]", "impossible"), ("post[0]", "done")]


async def test_killing_the_executor_in_a_rollback_repeats_no_finished_undo(world: World) -> None:
    stuck = asyncio.Event()

    async def reply(seen: Any) -> Answer:
        if seen.path == "/bad":
            return Answer(400)
        if seen.path == "/gone/2" and not stuck.is_set():
            stuck.set()
            await asyncio.sleep(30)
        return Answer(body=b'{"id": "%s"}' % seen.path[-1:].encode())

    world.reply = reply
    future = await world.send(UNDONE)
    await asyncio.wait_for(stuck.wait(), 10)
    await world.kill_and_replace()
    said = await asyncio.wait_for(future, 60)

    assert said.error_type == "client-error"
    assert [p for p in world.paths if p.startswith("/gone")] == [
        "/gone/3", "/gone/2", "/gone/2", "/gone/1",
    ]  # fmt: skip
    keys = {world.key_of("/gone/2", at=0), world.key_of("/gone/2", at=1)}
    assert keys == {f"{said.execution}:post[1]:undo"}


async def test_a_cancel_with_rollback_runs_last_things_and_undoes(world: World) -> None:
    world.reply = lambda seen: Answer(body=b'{"id": 5}')
    future = await world.send(f"""
steps:
  - {step("made", "/made", undo="/unmade")}
  - id: guarded
    try: {{steps: [{{id: nap, wait: {{for: 1h}}}}]}}
    finally: {{steps: [{step("last", "/last")}]}}
""")
    execution = await world.waiting()
    await world.signal(execution, Cancel(rollback=True, reason=None))
    said = await asyncio.wait_for(future, 60)

    assert said.outcome == "cancelled"
    assert world.paths == ["/made", "/last", "/unmade/5"]
    assert (await world.shown(execution))["rollback"] == "done"
