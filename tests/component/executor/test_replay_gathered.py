"""Replays of what a debounce had gathered: the inputs are a part of what was recorded."""

from typing import Any

import pytest
from tests_support.blocks import World, one_world, step
from tests_support.replays import ended, output, replayed, republished


@pytest.fixture
async def world(servers: Any) -> Any:
    async with one_world(servers) as made:
        yield made


GATHERING = f"""
debounce: {{key: "${{{{ input.who }}}}", window: 400ms, collect: COLLECT}}
steps:
  - {step("first", "/first")}
  - {{id: all, set: {{input: "${{{{ input }}}}"}}}}
output: ${{{{ all.input }}}}
"""


async def gathered(world: World, text: str) -> str:
    """The execution that three calls became."""
    await world.publish("w1", text)
    said = [await world.bed.call("w1", {"who": "a", "n": n}, respond="accepted") for n in range(3)]
    (execution,) = {one.execution for one in said}
    await ended(world, execution)
    return execution


@pytest.mark.parametrize("collect", ["true", "false"])
async def test_what_a_debounce_had_gathered_is_gathered_in_a_replay_too(
    world: World, collect: str
) -> None:
    text = GATHERING.replace("COLLECT", collect)
    execution = await gathered(world, text)
    given = [{"who": "a", "n": n} for n in range(3)]
    wanted = {"items": given} if collect == "true" else given[-1]
    assert await output(world, execution) == wanted

    for from_step in (None, "all"):
        shown = await replayed(world, execution, from_step=from_step)
        await ended(world, shown["id"])
        assert await output(world, shown["id"]) == wanted
    assert world.paths == ["/first", "/first"], "from `all` on the first step is taken over"

    later = await world.bed.call("w1", {"who": "a", "n": 9}, respond="accepted")
    assert later.execution != shown["id"], "a replay gathers nothing"
    other = {"who": "b", "n": 7}
    shown = await replayed(world, execution, input=other)
    await ended(world, shown["id"])
    alone = {"items": [other]} if collect == "true" else other
    assert await output(world, shown["id"]) == alone, "another input stands for all of them"


@pytest.mark.parametrize("collect", ["true", "false"])
async def test_a_version_that_gathers_nothing_gets_what_the_steps_saw(
    world: World, collect: str
) -> None:
    text = GATHERING.replace("COLLECT", collect)
    execution = await gathered(world, text)
    debounce = next(line for line in text.splitlines() if line.startswith("debounce"))
    await republished(world, text.replace(debounce, ""))

    shown = await replayed(world, execution, version="newest")
    await ended(world, shown["id"])
    assert await output(world, shown["id"]) == await output(world, execution)
