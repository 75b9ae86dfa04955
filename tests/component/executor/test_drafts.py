"""Drafts on real servers: run with pins, tried step by step, tested, and so published."""

from typing import Any

import pytest
from tests_support.blocks import World, one_world, step

from libs.common.errors import Rejected
from libs.common.testing import eventually
from services.executor.contract import OpenData, StartDraft, TestDraft, TryStep
from services.workflows.contract import DraftWorkflow, PublishWorkflow


@pytest.fixture
async def world(servers: Any) -> Any:
    async with one_world(servers) as made:
        yield made


async def drafted(world: World, text: str) -> str:
    whole = "troth: 1\nname: d\n" + text.replace("PORT", str(world.receiver.port))
    said = await world.bed.bus.ask(DraftWorkflow(document=whole, media="yaml"), world.bed.meta)
    assert not said.value["problems"], said.value["problems"]
    return said.value["id"]


async def ran(world: World, **more: Any) -> tuple[dict[str, Any], Any]:
    """The execution and its output at its end."""
    started = await world.bed.bus.ask(StartDraft(workflow="d", **more), world.bed.meta)
    execution = started.value["execution"]
    shown = await eventually(
        lambda: world.shown(execution), lambda shown: shown["outcome"] is not None
    )
    data = await world.bed.bus.ask(OpenData(execution_id=execution), world.bed.meta)
    return shown, data.value["output"]


async def used(world: World) -> int:
    async with world.engine.service.database.hot.connection() as connection:
        cursor = await connection.execute("select coalesce(sum(used), 0) from quota")
        return (await cursor.fetchone())[0]


TEXT = f"""
concurrency: {{limit: 1, then: reject}}
steps:
  - {step("a", "/a")}
  - id: each
    for_each: ${{{{ [1, 2] }}}}
    as: n
    steps: [{step("b", "/b/${{ n }}")}]
    output: ${{{{ get(b.json, "n", 0) }}}}
output: {{n: "${{{{ input.n }}}}", a: "${{{{ a.json }}}}", each: "${{{{ each }}}}"}}
"""


async def test_a_draft_runs_with_its_effects_and_is_not_counted(world: World) -> None:
    await drafted(world, TEXT)

    shown, output = await ran(world, input={"n": 3})

    assert (shown["mode"], shown["outcome"], output["n"]) == ("draft", "succeeded", 3)
    assert world.paths == ["/a", "/b/1", "/b/2"]
    assert await used(world) == 0


async def test_a_pinned_step_is_not_done_and_has_the_given_result(world: World) -> None:
    await drafted(world, TEXT)

    pins = {"a": {"json": 1}, "b[1]": {"json": {"n": 7}}, "b[0]": {"json": {"n": 8}}}
    shown, output = await ran(world, input={"n": 3}, pins=pins)

    assert shown["outcome"] == "succeeded"
    assert output == {"n": 3, "a": 1, "each": [8, 7]}
    assert world.paths == []
    assert ("a", "pinned") in {(e["step"], e["status"]) for e in await world.timeline(shown["id"])}


async def test_what_is_no_step_can_not_be_pinned(world: World) -> None:
    await drafted(world, TEXT)

    with pytest.raises(Rejected) as refused:
        await ran(world, pins={"each": [], "nothing": 1})
    assert [e.pointer for e in refused.value.errors] == ["/pins/each", "/pins/nothing"]


async def test_a_draft_goes_on_after_a_crash_as_it_was_when_it_was_run(world: World) -> None:
    await drafted(world, f"steps: [{{id: w, wait: {{for: 3s}}}}, {step('a', '/a')}]")
    started = await world.bed.bus.ask(StartDraft(workflow="d"), world.bed.meta)
    await world.waiting()
    saved = f"troth: 1\nname: d\nsteps: [{step('a', '/other')}]".replace("PORT", "1")
    await world.bed.bus.ask(_save(saved), world.bed.meta.model_copy(update={"expected_version": 1}))
    await world.kill_and_replace()

    shown = await eventually(
        lambda: world.shown(started.value["execution"]), lambda s: s["outcome"] is not None
    )

    assert shown["outcome"] == "succeeded" and world.paths == ["/a"]


def _save(text: str) -> Any:
    from services.workflows.contract import SaveDraft

    return SaveDraft(workflow="d", document=text, media="yaml")


async def tried(world: World, **more: Any) -> dict[str, Any]:
    return (await world.bed.bus.ask(TryStep(workflow="d", **more), world.bed.meta)).value


async def test_one_step_is_tried_with_given_names(world: World) -> None:
    await drafted(world, f"""
steps:
  - {{id: total, set: {{x: "${{{{ input.n + 1 }}}}"}}}}
  - {{id: twice, set: {{x: "${{{{ total.x * 2 }}}}"}}}}
  - {step("post", "/post/${{ total.x }}")}
""")  # fmt: skip

    good = await tried(world, step="twice", scope={"total": {"x": 4}})
    assert (good["outcome"], good["result"]) == ("succeeded", {"x": 8})
    bad = await tried(world, step="twice", scope={"total": {}})
    assert bad["error"]["type"] == "expression-missing-key" and bad["error"]["column"] == 8
    refused = await tried(world, step="post", scope={"total": {"x": 1}})
    assert refused["outcome"] == "stopped" and "mocks.post" in refused["stopped"]
    assert refused["effects"][0]["sent"]["url"].endswith("/post/1")
    mocked = await tried(world, step="post", scope={"total": {"x": 1}}, mock={"status": 201})
    assert mocked["result"] == {"status": 201} and world.paths == []
    done = await tried(world, step="post", scope={"total": {"x": 5}}, effects=True)
    assert done["result"]["status"] == 200 and world.paths == ["/post/5"]
    async with world.engine.service.database.hot.connection() as connection:
        cursor = await connection.execute(
            "select actor, data from log where type = 'executor.event.call-tried'"
        )
        ((actor, said),) = await cursor.fetchall()
    assert actor == "per_1"
    assert (said["host"], said["outcome"], said["status"]) == ("127.0.0.1", "done", 200)


TESTED = f"""
steps: [{step("a", "/a")}]
output: ${{{{ a.json.n }}}}
tests:
  - {{name: good, mocks: {{a: {{json: {{n: 1}}}}}}, expect: {{output: 1}}}}
  - {{name: bad, mocks: {{a: {{json: {{n: 1}}}}}}, expect: {{output: 2}}}}
"""


async def test_tests_of_a_draft_run_without_a_byte_leaving(world: World) -> None:
    await drafted(world, TESTED)

    said = (await world.bed.bus.ask(TestDraft(workflow="d"), world.bed.meta)).value

    assert (said["passed"], said["total"], said["failed"]) == (False, 2, 1)
    assert said["cases"][1]["differences"] == [
        {"pointer": "/output", "rule": "different", "detail": "", "expected": 2, "got": 1}
    ]
    assert world.receiver.seen == []


async def test_a_draft_whose_tests_fail_is_not_published(world: World) -> None:
    workflow = await drafted(world, TESTED)
    publish = PublishWorkflow(workflow=workflow, draft_version=1)

    with pytest.raises(Rejected) as refused:
        await world.bed.bus.ask(publish, world.bed.meta, 20)
    assert refused.value.code == "tests-failed"
    assert [e.detail for e in refused.value.errors] == ["bad: /output: different"]
    good = TESTED.replace("expect: {output: 2}", "expect: {output: 1}").replace("PORT", "1")
    meta = world.bed.meta.model_copy(update={"expected_version": 1})
    saved = await world.bed.bus.ask(_save("troth: 1\nname: d\n" + good), meta)
    publish = PublishWorkflow(workflow=workflow, draft_version=saved.version or 0)
    assert (await world.bed.bus.ask(publish, world.bed.meta, 20)).value["published"] == 1
