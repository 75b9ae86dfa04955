"""What an execution leaves when it is over is freed at once: rings would wait for the collector."""

import gc
import weakref

from tests_support.engines import Bed

from libs.common.testing import eventually
from services.executor.run import Run

TEXT = """
troth: 1
name: rings
on:
  - webhook: {path: rings, verify: {scheme: none}, respond: result, timeout: 30s}
steps:
  - {id: one, set: {double: "${{ input.n * 2 }}"}}
output: ${{ one.double }}
"""


async def test_a_run_that_has_ended_is_gone_without_the_collector(bed: Bed) -> None:
    await bed.publish(TEXT)
    seen: list[weakref.ref[Run]] = []
    engine = bed.executors[0].engine
    carry = engine.carry

    async def watched(run: Run, snapshot_at: int = 0) -> None:
        seen.append(weakref.ref(run))
        await carry(run, snapshot_at)

    engine.carry = watched  # pyright: ignore[reportAttributeAccessIssue] - seen from outside
    gc.disable()
    try:
        for n in range(5):
            assert (await bed.call("rings", {"n": n})).output == n * 2

        async def left() -> list[bool]:
            return [ref() is not None for ref in seen]

        await eventually(left, lambda left: left == [False] * 5)
    finally:
        gc.enable()
