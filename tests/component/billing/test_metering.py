"""The meter: live starts are counted exactly once, whatever the bus does."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from sqlalchemy import text

from libs.common.errors import Forbidden
from libs.common.testing import eventually
from services.billing.contract import TriggerKind, UsageInPeriod
from services.executor import contract as executor

from .conftest import ONE, TWO, World


async def test_only_live_starts_are_counted_and_each_once(world: World) -> None:
    await world.found(ONE)
    await world.start_executions(ONE, 5)
    await world.start_executions(ONE, 3, "wf_2")
    await world.start_executions(ONE, 2, mode="draft")
    await world.start_executions(ONE, 1, mode="test")
    await world.start_executions(TWO, 4)
    await eventually(world.used, lambda n: n >= 8)
    rows = (await world.ask(UsageInPeriod()))["data"]
    assert [(r["workflow"], r["kind"], r["executions"]) for r in rows] == [
        ("wf_2", None, 3), ("wf_1", None, 5),
    ]  # fmt: skip
    total = (await world.ask(UsageInPeriod(by=["kind"])))["data"]
    assert total == [{"day": None, "workflow": None, "kind": "webhook", "executions": 8}]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert (await world.ask(UsageInPeriod(from_at=tomorrow)))["data"] == []
    with pytest.raises(Forbidden):
        await world.ask(UsageInPeriod(), ONE, "audit:read")


def test_every_kind_that_starts_something_can_be_shown() -> None:
    assert set(get_args(TriggerKind)) == set(get_args(executor.TriggerKind))


async def test_usage_is_paged_without_gap_or_repeat(world: World) -> None:
    await world.found(ONE)
    for number in range(5):
        await world.start_executions(ONE, 1, f"wf_{number}")
    await eventually(world.used, lambda n: n == 5)
    seen, after = [], None
    while True:
        page = await world.ask(UsageInPeriod(limit=2, after=after))
        seen += [row["workflow"] for row in page["data"]]
        if (after := page["next"]) is None:
            break
    assert seen == ["wf_4", "wf_3", "wf_2", "wf_1", "wf_0"]


async def test_duplicates_redeliveries_and_restarts_do_not_count_twice(world: World) -> None:
    await world.found(ONE)
    await world.start_executions(ONE, 20)
    await eventually(world.used, lambda n: n == 20)
    said = await world.executor.bus.js.get_last_msg("EXECUTOR", "executor.event.batch.0")
    assert said.data is not None
    headers = {k: v for k, v in (said.headers or {}).items() if k != "Nats-Msg-Id"}
    for _ in range(3):
        await world.executor.bus.js.publish("executor.event.batch.0", said.data, headers=headers)
    await world.billing.stop()
    await world.executor.bus.js.delete_consumer("EXECUTOR", "billing-metering")
    await world.restart_billing()
    await world.start_executions(ONE, 1)
    await eventually(world.used, lambda n: n >= 21)
    assert await world.used() == 21


async def test_a_lost_stream_loses_no_usage(world: World) -> None:
    await world.found(ONE)
    await world.start_executions(ONE, 3)
    await eventually(world.used, lambda n: n == 3)
    await world.billing.stop()
    await world.start_executions(ONE, 4)
    await world.wait_published(7)
    await world.executor.bus.js.delete_stream("EXECUTOR")
    await world.restart_billing()
    await eventually(world.used, lambda n: n == 7)


async def test_a_hole_in_the_executors_log_stops_the_meter_until_it_is_skipped(
    world: World,
) -> None:
    await world.found(ONE)
    await world.start_executions(ONE, 1)
    await eventually(world.used, lambda n: n == 1)
    await world.billing.stop()
    await world.start_executions(ONE, 3)
    await world.wait_published(4)
    world.in_log_of("executor", "delete from log where n = 3")
    await world.executor.bus.js.delete_stream("EXECUTOR")
    await world.restart_billing()

    async def said() -> str:
        return (await world.billing.ready())["billing.reader.metering"]

    await eventually(said, lambda text: "numbers 3 to 3 are missing" in text)
    assert await world.used() == 2
    async with world.billing.database.work() as connection:
        await connection.execute(text("update readers set skip = 3 where name = 'metering'"))
    await eventually(world.used, lambda n: n == 3)
    await eventually(said, lambda text: text == "ok")
