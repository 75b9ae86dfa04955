"""An export has a limit: what has no place any more is refused by name, the rest is there."""

from typing import Any

import pytest
from tests_support.blocks import one_world

from libs.common.testing import eventually
from services.executor.contract import (
    ExecutionFilter,
    ExportExecutions,
    FindOperation,
    FindOperationResult,
)
from services.executor.handlers import exporting

ECHO = """
steps: [{id: said, set: {n: "${{ input.n }}"}}]
output: {text: "${{ input.text }}"}
"""


async def test_an_export_beyond_its_limit_refuses_the_rest_and_keeps_what_it_has(
    servers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "BYTES_MAX", 30_000)
    async with one_world(servers) as world:
        await world.publish("echo", ECHO)
        for n in range(4):
            await world.bed.call("echo", {"n": n, "text": "x" * 5_000})
        named = {"command_id": "0192f3a4-0000-7000-8000-000000000009", "command_digest": "d"}
        meta = world.bed.meta.model_copy(update=named)
        counted = ExportExecutions(filter=ExecutionFilter(), dry_run=True)

        async def count() -> int:
            return (await world.bed.bus.ask(counted, world.bed.meta)).value["count"]

        await eventually(count, lambda found: found == 4)
        asked = ExportExecutions(filter=ExecutionFilter())
        operation = (await world.bed.bus.ask(asked, meta)).value["id"]

        async def shown() -> Any:
            return (await world.bed.bus.ask(FindOperation(operation_id=operation), meta)).value

        ended = await eventually(shown, lambda one: one["ended_at"] is not None)
        page = FindOperationResult(operation_id=operation)
        pieces = (await world.bed.bus.ask(page, meta)).value["data"]

    refused = [piece for piece in pieces if piece["outcome"] == "refused"]
    assert {piece["code"] for piece in refused} == {"export-too-large"}
    assert ended["result"]["refusals"] == {"export-too-large": len(refused)}
    assert [piece["value"] for piece in refused] == [None] * len(refused)
    assert ended["result"]["done"] + len(refused) == 4
    assert ended["result"]["done"] >= 1
