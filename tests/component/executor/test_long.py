"""Long executions: the log grows with the items, and going on late reads little of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests_support.blocks import World, one_world, step
from tests_support.servers import Servers

from libs.common.eventstore import EventStore
from tests.fakes.receiver import Answer

ITEMS = 10_000


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    async with one_world(servers) as made:
        yield made


async def test_the_log_grows_linearly_with_the_items(world: World) -> None:
    text = """
steps:
  - id: each
    for_each: "${{ range(input.n) }}"
    as: n
    steps: [{id: one, set: {v: "item ${{ n }} of many"}}]
output: ${{ len(each) }}
"""
    few = await _bytes(world, await world.run(text, n=1000))
    many = await _bytes(world, await world.run(text, n=10_000))

    assert many < 11 * few


async def test_going_on_at_a_late_item_reads_few_events_and_repeats_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = asyncio.Event()

    async def reply(seen: Any) -> Answer:
        if seen.path == f"/item/{ITEMS - 2}" and not stuck.is_set():
            stuck.set()
            await asyncio.sleep(60)
        return Answer(body=b'{"n": %s}' % seen.path.rpartition("/")[2].encode())

    world.reply = reply
    future = await world.send(f"""
steps:
  - id: each
    for_each: "${{{{ range({ITEMS}) }}}}"
    as: n
    steps:
      - id: some
        choose:
          - when: ${{{{ n % 20 == 18 }}}}
            steps: [{step("post", "/item/${{ n }}")}]
            output: ${{{{ post.json.n }}}}
        else: {{steps: [], output: "${{{{ n }}}}"}}
    output: ${{{{ some }}}}
output: ${{{{ [len(each), sum(each)] }}}}
""")
    await asyncio.wait_for(stuck.wait(), 120)
    execution = world.receiver.seen[-1].headers["idempotency-key"].partition(":")[0]
    assert len(await world.events(execution)) > 1000
    read = _counted(monkeypatch)
    await world.kill_and_replace()
    said = await asyncio.wait_for(future, 120)

    assert said.output == [ITEMS, sum(range(ITEMS))]
    assert 0 < sum(read) <= 200
    repeated = [key for key, times in world.receiver.per_key().items() if times > 1]
    assert repeated == [f"{said.execution}:post[{ITEMS - 2}]"]


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many events each read of executions' streams gave, from now on."""
    read: list[int] = []
    select = EventStore.select

    async def counting(self: EventStore, connection: Any, where: str, values: Any) -> Any:
        found = await select(self, connection, where, values)
        if "stream" in where:
            read.append(len([f for f in found if f.subject.startswith("execution-")]))
        return found

    monkeypatch.setattr(EventStore, "select", counting)
    return read


async def _bytes(world: World, said: Any) -> int:
    assert said.outcome == "succeeded"
    async with world.engine.service.database.hot.connection() as connection:
        cursor = await connection.execute(
            "select sum(length(data::text)) from log where stream like %s", (f"%{said.execution}",)
        )
        return (await cursor.fetchone())[0]
