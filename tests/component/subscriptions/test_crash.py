"""Killed with -9 between an attempt and its record: the same event goes out again, once more."""

import asyncio
import os
import signal
import sys
from collections import Counter
from typing import Any

from tests_support.producers import append

from libs.common.eventstore import stream_of
from libs.common.testing import eventually
from services.identity.contract import KeysDestroyed
from services.subscriptions.app import build
from services.subscriptions.outbox import Ended, claim, record
from tests.fakes.receiver import Answer, Said, Seen, says


async def test_a_killed_process_leaves_an_attempt_that_another_one_repeats(world: Any) -> None:
    await world.subscribe()
    await world.service.stop()
    killed: list[int] = []

    async def script(got: Seen) -> Said:
        if not killed:
            killed.append(process.pid)
            os.kill(process.pid, signal.SIGKILL)
        return 200

    world.receiver.replies["/a"] = script
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
    seen = [(got.json["sequence"], got.id) for got in world.receiver.at("/a")]
    assert [sequence for sequence, _ in seen] == ["1", "1", "2"]
    assert seen[0] == seen[1]
    ends = await world.sql("select count(*) from log where type like '%delivery-ended'")
    assert ends == [(2,)]


async def test_whoever_lost_the_lease_can_not_record(world: Any) -> None:
    world.receiver.replies["/a"] = says(Answer(503, headers={"retry-after": "600"}))
    await world.subscribe()
    await world.start()

    async def tried() -> Any:
        return await world.sql("select 1 from deliveries where json_array_length(attempts) = 1")

    await eventually(tried, bool)
    await world.service.stop()
    await world.sql("update deliveries set due_at = now()")

    async def take(owner: str) -> Ended:
        async with world.service.database.work() as db:
            [row] = await claim(db, free=9, each=8, busy=Counter(), lease_s=0.0, owner=owner)
        assert row["made"] == 1
        return Ended(row["id"], owner, row["subscription"], {"status": 200}, True, "delivered")

    async def say(ended: Ended) -> int:
        async with world.service.database.work() as db:
            return await record(db, [ended])

    stopped, another = await take("a"), await take("b")
    assert await say(stopped) == 0
    assert await world.sql("select outcome, owner from deliveries") == [(None, "b")]
    assert (await say(another), await say(another)) == (1, 0)
    assert await world.sql("select outcome, owner from deliveries") == [("delivered", None)]


async def test_what_is_under_way_counts_against_its_endpoints_places(world: Any) -> None:
    world.receiver.replies["/a"] = says(None)
    world.receiver.replies["/b"] = says(None)
    await world.restart(delivery_timeout_s=30.0, deliveries_per_endpoint_max=2)
    await world.subscribe("/a")
    await world.subscribe("/b")
    await world.start(4)

    async def under_way() -> Any:
        return await world.sql("select subscription, count(owner), count(*) from deliveries"
                               " group by 1")  # fmt: skip

    found = await eventually(
        under_way, lambda rows: sum(busy + made for _, busy, made in rows) == 12
    )
    assert [(busy, made) for _, busy, made in found] == [(2, 4), (2, 4)]
    assert len(world.receiver.seen) <= 4


async def test_a_destroyed_key_is_dropped_when_it_is_said(world: Any) -> None:
    await world.subscribe()
    assert world.service.keys.at_hand("org_one", "content") is not None
    gone = KeysDestroyed.model_validate({"owner_id": "org_one", "kids": ["k1"]})
    await append(world.identity, stream_of("keys", "org_one"), [gone], "org_one")

    async def held() -> Any:
        return world.service.keys.at_hand("org_one", "content")

    await eventually(held, lambda key: key is None)
