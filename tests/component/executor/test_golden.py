"""Past executions held against a draft: nothing leaves, and the first difference is told."""

from typing import Any

import pytest
from tests_support.blocks import HEAD, World, one_world, step

from libs.common.errors import Rejected
from libs.common.ids import derived
from libs.common.testing import eventually
from services.executor.contract import CompareExecutions, FindExecutions, ReplayGolden
from services.workflows.contract import (
    DifferencesAccepted,
    FindDraft,
    FindPublishingGate,
    PublishGate,
    PublishWorkflow,
    SaveDraft,
    SetPublishingGate,
    SetPublishingPolicy,
    WorkflowPublished,
    workflow_stream,
)
from tests.fakes.receiver import Answer


@pytest.fixture
async def world(servers: Any) -> Any:
    async with one_world(servers) as made:
        yield made


TEXT = f"""
steps:
  - {{id: at, set: {{now: "${{{{ now() }}}}", n: "${{{{ input.n }}}}"}}}}
  - {{id: hold, wait: {{for: 1s}}}}
  - id: each
    for_each: ${{{{ range(input.n) }}}}
    as: i
    concurrency: 2
    steps: [{step("post", "/post/${{ i }}")}]
    output: ${{{{ post.json.id }}}}
  - id: attempt
    try: {{steps: [{step("risky", "/risky")}]}}
    catch: [{{steps: [{step("told", "/told/${{ error.type }}")}]}}]
output: {{ids: "${{{{ each }}}}", at: "${{{{ at.now }}}}", end: "${{{{ now() }}}}"}}
"""


async def ran(world: World) -> str:
    """Two executions of the workflow; the id of the second."""
    world.reply = lambda seen: (
        Answer(400) if seen.path == "/risky" else Answer(body=b'{"id": 5, "at": "x"}')
    )
    said = await world.run(TEXT, n=2)
    assert said.outcome == "succeeded", said
    again = await world.bed.call("w1", {"n": 1})
    listed = FindExecutions(limit=10)
    await eventually(
        lambda: world.bed.bus.ask(listed, world.bed.meta),
        lambda page: [e["outcome"] for e in page.value["data"]] == ["succeeded"] * 2,
    )
    return again.execution


async def drafted(world: World, text: str) -> int:
    whole = (HEAD.format(name="w1") + text).replace("PORT", str(world.receiver.port))
    found = await world.bed.bus.ask(FindDraft(workflow="w1"), world.bed.meta)
    meta = world.bed.meta.model_copy(update={"expected_version": found.version})
    saved = await world.bed.bus.ask(SaveDraft(workflow="w1", document=whole, media="yaml"), meta)
    assert not saved.value["problems"], saved.value["problems"]
    return saved.value["draft"]


async def golden(world: World, *, values: bool = True) -> dict[str, Any]:
    meta = world.bed.meta
    if not values:
        meta = meta.model_copy(update={"permissions": meta.permissions - {"payloads:read"}})
    return (await world.bed.bus.ask(ReplayGolden(workflow="w1", last=5), meta, 30)).value


async def test_the_same_document_goes_the_same_way_and_no_byte_leaves(world: World) -> None:
    await ran(world)
    before = len(world.paths)

    report = await golden(world)

    assert report["same"], [one["first"] for one in report["executions"]]
    assert (report["total"], report["differing"], report["skipped"]) == (2, 0, 0)
    assert len(world.paths) == before


async def test_the_first_step_that_differs_and_changed_effects_are_told(world: World) -> None:
    second = await ran(world)
    await drafted(world, TEXT.replace("/post/", "/other/"))

    report = await golden(world)

    one = report["executions"][0]
    assert (one["execution"], one["same"]) == (second, False)
    assert (one["first"]["step"], one["first"]["what"]) == ("post[0]", "request")
    assert one["first"]["recorded"].endswith("/post/0")
    assert one["first"]["now"].endswith("/other/0")
    assert one["changed_effects"] == ["post[0]"] and one["new_effects"] == []
    hidden = await golden(world, values=False)
    assert hidden["executions"][0]["first"]["recorded"] is None


async def test_new_and_missing_effects_are_told(world: World) -> None:
    await ran(world)
    await drafted(world, TEXT.replace(
        "output: {ids", f"  - {step('extra', '/extra')}\noutput: {{ids"))  # fmt: skip
    report = await golden(world)
    assert report["executions"][0]["new_effects"] == ["extra"]
    gone = TEXT.replace(f"    catch: [{{steps: [{step('told', '/told/${{ error.type }}')}]}}]",
                        "    catch: [{steps: []}]")  # fmt: skip
    await drafted(world, gone)
    report = await golden(world)
    assert report["executions"][0]["missing_effects"] == ["told"]


async def test_the_gate_refuses_to_publish_what_goes_another_way(world: World) -> None:
    await ran(world)
    draft = await drafted(world, TEXT.replace('n: "${{ input.n }}"', "n: 9"))

    gated = PublishWorkflow(workflow="w1", draft_version=draft, gate=PublishGate(golden_replay=5))
    with pytest.raises(Rejected) as refused:
        await world.bed.bus.ask(gated, world.bed.meta, 60)
    assert refused.value.code == "golden-replay-differs"
    assert len(refused.value.errors) == 2 and "at at" in refused.value.errors[0].detail
    draft = await drafted(world, TEXT + "# the same\n")
    gated = PublishWorkflow(workflow="w1", draft_version=draft, gate=PublishGate(golden_replay=5))
    assert (await world.bed.bus.ask(gated, world.bed.meta, 60)).value["published"] == 2


async def test_a_gate_that_is_set_holds_until_the_differences_are_accepted(world: World) -> None:
    async def set_to(message: Any) -> Any:
        return (await world.bed.bus.ask(message, world.bed.meta)).value

    async def publish(draft: int, *, accept: bool = False) -> Any:
        asked = PublishWorkflow(workflow="w1", draft_version=draft, accept_differences=accept)
        return (await world.bed.bus.ask(asked, world.bed.meta, 60)).value

    second = await ran(world)
    draft = await drafted(world, TEXT.replace('n: "${{ input.n }}"', "n: 9"))
    assert await set_to(SetPublishingGate(workflow="w1", golden_replay=1)) == {
        "golden_replay": 1, "organization_golden_replay": 0, "wanted": 1,
    }  # fmt: skip
    with pytest.raises(Rejected) as refused:
        await publish(draft)
    assert refused.value.code == "golden-replay-differs"
    assert f"{second} differs at at (result)" in refused.value.detail
    assert len(refused.value.errors) == 1
    await set_to(SetPublishingPolicy(golden_replay=5))
    assert (await set_to(FindPublishingGate(workflow="w1")))["wanted"] == 5
    with pytest.raises(Rejected) as refused:
        await publish(draft)
    assert len(refused.value.errors) == 2

    assert (await publish(draft, accept=True))["published"] == 2

    stream = workflow_stream(world.bed.org, derived("wf", world.bed.org, "w1"))
    log = [recorded.event() for recorded in await world.bed.workflows.store.load(stream)]
    accepted, published = log[-2:]
    assert isinstance(accepted, DifferencesAccepted) and isinstance(published, WorkflowPublished)
    assert (accepted.executions[0], accepted.total) == (second, 2)


async def test_two_executions_are_held_beside_each_other(world: World) -> None:
    second = await ran(world)
    listed = await world.bed.bus.ask(FindExecutions(limit=10), world.bed.meta)
    (first,) = [e["id"] for e in listed.value["data"] if e["id"] != second]
    asked = CompareExecutions(execution_id=first, other=second)

    said = (await world.bed.bus.ask(asked, world.bed.meta)).value

    differing = {one["step"]: one for one in said["steps"]}
    assert not said["same"] and "post[1]" in differing and "post[0]" not in differing
    assert differing["post[1]"]["other_duration_ms"] is None
    assert differing["at"]["result"]["n"] == 2 and differing["at"]["other_result"]["n"] == 1
    meta = world.bed.meta.model_copy(
        update={"permissions": world.bed.meta.permissions - {"payloads:read"}}
    )
    hidden = (await world.bed.bus.ask(asked, meta)).value
    assert {one["result"] is None for one in hidden["steps"]} == {True}
