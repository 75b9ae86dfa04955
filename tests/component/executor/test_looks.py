"""Who looks at what was processed is noted: once per reader, thing and hour; so is where from."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests_support.blocks import World, one_world, step

from libs.common import clock, ids
from libs.common.errors import Forbidden
from libs.common.messages import Ask
from libs.common.testing import eventually
from services.executor.contract import (
    ExecutionFilter,
    ExportExecutions,
    FindExecution,
    FindExecutions,
    FindOperation,
    FindOperationResult,
    FindTimeline,
    OpenCall,
    OpenData,
    RecordCall,
)

ECHO = "output: {text: '${{ input.text }}'}\nsteps: [{id: said, set: {n: 1}}]"
LOOKS = """select type, stream, actor, request_id, origin, data from log
  where type like '%-opened' or type like '%-searched' order by n"""


@pytest.fixture
async def world(servers: Any) -> AsyncIterator[World]:
    async with one_world(servers, executors=2) as made:
        await made.publish("echo", ECHO)
        yield made


async def ask(world: World, message: Ask, actor: str = "per_1", **more: Any) -> Any:
    meta = world.bed.meta.model_copy(update={"actor": actor, "request_id": "req_1"} | more)
    return (await world.bed.bus.ask(message, meta)).value


async def looks(world: World) -> list[Any]:
    """What the log says, once every process has said what it knows."""
    for executor in world.bed.executors:
        await executor.engine.looks.flush()
    async with world.engine.service.database.hot.connection() as connection:
        return list(await (await connection.execute(LOOKS.encode())).fetchall())


def no_hour_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a test looks."""
    into_the_hour = clock.seconds() % 3600
    monkeypatch.setattr(clock, "offset_s", clock.offset_s + (600 - into_the_hour) % 3600)


async def test_a_reader_who_polls_is_one_entry_an_hour_whichever_process_answers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = (await world.bed.call("echo", {"text": "hush"})).execution
    no_hour_ends(monkeypatch)
    for actor in ("per_1", "key_2"):
        for _ in range(8):
            await ask(world, OpenData(execution_id=done), actor, origin=f"o1.1.{actor}")
    found = await looks(world)
    assert sorted((t, a, r, o) for t, _, a, r, o, _ in found) == [
        ("executor.event.execution-opened", actor, "req_1", f"o1.1.{actor}")
        for actor in ("key_2", "per_1")
    ]
    said = {"execution_id": done, "what": "data", "permission": "payloads:read"}
    assert all(data == said and "hush" not in stream for _, stream, *_, data in found)
    monkeypatch.setattr(clock, "offset_s", clock.offset_s + 3600)
    await ask(world, OpenData(execution_id=done))
    assert len(await looks(world)) == 3


async def test_looking_at_an_execution_without_its_values_is_no_look(world: World) -> None:
    done = (await world.bed.call("echo", {"text": "hush"})).execution
    await ask(world, FindExecution(execution_id=done))
    await ask(world, FindTimeline(execution_id=done))
    await ask(world, OpenData(execution_id=done), "system:gateway")
    assert await looks(world) == []


async def test_calls_and_exports_are_looks_at_what_they_show(world: World) -> None:
    done = await world.bed.call("echo", {"text": "hush"})
    lost = ids.new("call")
    await ask(world, RecordCall(call_id=lost, path="nobody", outcome="unmatched",
                                reason="no-such-path"))  # fmt: skip

    async def opened() -> list[str]:
        for call in (done.call, lost):
            await ask(world, OpenCall(call_id=call))
        return [t.rpartition(".")[2] for t, *_ in await looks(world)]

    async def seen() -> int:
        counted = ExportExecutions(filter=ExecutionFilter(), dry_run=True)
        return (await ask(world, counted))["count"]

    await eventually(seen, bool)
    assert sorted(await opened()) == ["call-opened", "execution-opened"]
    named = {"command_id": "0192f3a4-0000-7000-8000-000000000007", "command_digest": "d"}
    export = ExportExecutions(filter=ExecutionFilter())
    await ask(world, export, "per_2", origin="o1.1.export", **named)
    found = await eventually(lambda: looks(world), lambda rows: len(rows) == 3)
    assert (found[2][2], found[2][4], found[2][5]["what"]) == ("per_2", "o1.1.export", "export")


async def test_searching_what_errors_said_is_a_look_that_does_not_tell_the_words(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_hour_ends(monkeypatch)
    await ask(world, FindExecutions(outcome=["failed"]))
    assert await looks(world) == []
    for actor in ("per_1", "key_2"):
        for word in ("hush", "hush", "secret"):
            await ask(world, FindExecutions(q=word), actor, origin=f"o1.1.{actor}")
    counted = ExportExecutions(filter=ExecutionFilter(q="hush"), dry_run=True)
    await ask(world, counted, "per_3")
    found = await looks(world)
    assert {(t, a) for t, _, a, *_ in found} == {
        ("executor.event.errors-searched", actor) for actor in ("per_1", "key_2", "per_3")
    }
    assert len(found) == 3
    assert all(data == {"permission": "payloads:read"} for *_, data in found)
    assert not any("hush" in stream for _, stream, *_ in found)
    monkeypatch.setattr(clock, "offset_s", clock.offset_s + 3600)
    await ask(world, FindExecutions(q="hush"))
    assert len(await looks(world)) == 4


async def test_a_search_that_is_refused_is_no_look(world: World) -> None:
    with pytest.raises(Forbidden):
        await ask(world, FindExecutions(q="hush"), permissions=frozenset({"executions:read"}))
    assert await looks(world) == []


async def test_an_export_that_is_taken_again_is_a_look_of_each_hour(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_hour_ends(monkeypatch)
    await world.bed.call("echo", {"text": "hush"})
    counted = ExportExecutions(filter=ExecutionFilter(), dry_run=True)
    await eventually(lambda: ask(world, counted), lambda said: said["count"] == 1)
    named = {"command_id": "0192f3a4-0000-7000-8000-000000000008", "command_digest": "d"}
    made = await ask(world, ExportExecutions(filter=ExecutionFilter()), **named)
    find = FindOperation(operation_id=made["id"])
    await eventually(lambda: ask(world, find), lambda said: said["status"] == "succeeded")

    async def taken() -> list[Any]:
        for _ in range(4):  # whichever process answers
            page = await ask(world, FindOperationResult(operation_id=made["id"]))
            assert page["data"][0]["value"]["data"]["input"] == {"text": "hush"}
        return [(a, data) for t, _, a, _, _, data in await looks(world) if "result" in t]

    look = ("per_1", {"operation_id": made["id"], "permission": "payloads:read"})
    assert await taken() == [look]
    monkeypatch.setattr(clock, "offset_s", clock.offset_s + 3600)
    assert await taken() == [look, look]


async def test_an_execution_that_another_process_resumes_says_where_it_was_started_from(
    world: World,
) -> None:
    steps = (step("one", "/one"), "{id: rest, wait: {for: 2s}}", step("two", "/two"))
    text = "steps:\n" + "".join(f"  - {one}\n" for one in steps)
    await world.publish("rests", text)
    waiting = await world.bed.send("rests", {}, origin="o1.1.here", wait_s=60)
    await world.seen("/one")
    execution = await world.waiting()
    for executor in world.bed.executors:
        executor.engine.runs.pop(execution, None)
    answer = await waiting
    assert answer.outcome == "succeeded"
    async with world.engine.service.database.hot.connection() as connection:
        cursor = await connection.execute(
            "select type, origin, request_id from log where stream like %s order by version",
            (f"execution-%{execution}",),
        )
        rows = await cursor.fetchall()
    ends = [row for row in rows if row[0].endswith("effect-ended")]
    assert len(ends) == 2 and {origin for _, origin, _ in rows} == {"o1.1.here"}
    assert len({request for *_, request in rows}) == 1
