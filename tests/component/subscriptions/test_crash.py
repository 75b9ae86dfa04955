"""Killed with -9 between an attempt and its record: the same event goes out again, once more."""

import asyncio
import os
import signal
import sys
from typing import Any

from tests_support.receiver import Answer, Got

from libs.common.testing import eventually
from services.subscriptions.app import build


async def test_a_killed_process_leaves_an_attempt_that_another_one_repeats(world: Any) -> None:
    await world.subscribe()
    await world.service.stop()
    killed: list[int] = []

    async def script(got: Got) -> Answer:
        if not killed:
            killed.append(process.pid)
            os.kill(process.pid, signal.SIGKILL)
        return 200

    world.receiver.answers["/a"] = script
    change = {
        "TROTH_EGRESS_ALLOW": world.receiver.pair, "TROTH_DELIVERY_TIMEOUT_S": "1",
        "TROTH_DELIVERY_LEASE_SPARE_S": "1", "TROTH_OPS_PORT": "0",
        "TROTH_DATABASE_PREFIX": world.settings.database_prefix,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.subscriptions", env=os.environ | change
    )
    try:
        [execution] = await world.start()
        await world.finish(execution)

        async def dead() -> list[int]:
            return killed

        await eventually(dead, bool, 30)
        assert await process.wait() == -signal.SIGKILL
        rows = await world.sql("select attempts::text, outcome from deliveries order by number")
        assert rows[0] == ("[]", None), "nothing of the attempt was recorded"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    world.service = build(world.settings)
    await world.service.start()

    async def ended() -> Any:
        return await world.sql("select outcome from deliveries where ended_at is not null")

    await eventually(ended, lambda rows: len(rows) == 2, 30)
    seen = [(got.event["sequence"], got.id) for got in world.receiver.at("/a")]
    assert [sequence for sequence, _ in seen] == ["1", "1", "2"]
    assert seen[0] == seen[1]
    ends = await world.sql("select count(*) from log where type like '%delivery-ended'")
    assert ends == [(2,)]
