"""The trail: every event once, whatever the bus does; it only grows, and shows ids only."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from libs.common.errors import Forbidden, NotFound
from libs.common.testing import eventually
from services.audit.contract import PRODUCERS, FindEntries, FindEntry

from .conftest import ONE, TWO, World


async def test_every_event_of_every_service_is_entered_once(world: World) -> None:
    for number, producer in enumerate(PRODUCERS, 1):
        await world.note(number, producer=producer)
    shown = await world.complete()
    counts = {p.producer: p.count for p in shown.producers}
    assert counts == {name: n for n, name in enumerate(PRODUCERS, 1)} | {"audit": 0}
    assert await world.count() == shown.audited == 15


async def test_twenty_thousand_events_are_audited_with_equal_counts(world: World) -> None:
    for _ in range(40):
        await world.note(500)
    shown = await world.complete(timeout_s=60)
    executor = next(p for p in shown.producers if p.producer == "executor")
    assert (executor.head, executor.last, executor.count) == (20_000, 20_000, 20_000)
    assert await world.count() == 20_000


async def test_duplicates_redeliveries_and_restarts_enter_nothing_twice(world: World) -> None:
    await world.note(300)
    await world.complete()
    js = world.producers["executor"].bus.js
    for sequence in (1, 2, 3):
        message = await js.get_msg("EXECUTOR", sequence)
        headers = {k: v for k, v in (message.headers or {}).items() if k != "Nats-Msg-Id"}
        await js.publish("executor.event.batch.0", message.data or b"", headers=headers)
    await world.note(1)
    await world.complete()
    await world.restart_audit(forget_consumers=True)
    await world.note(1)
    await eventually(world.of, lambda p: p.last == 302)
    assert (await world.complete()).audited == await world.count() == 302


async def test_a_lost_stream_is_repaired_from_the_log(world: World) -> None:
    await world.note(10)
    await world.complete()
    await world.audit.stop()
    await world.note(250)
    await world.wait_published(260)
    await world.producers["executor"].bus.js.delete_stream("EXECUTOR")
    await world.restart_audit()
    await eventually(world.of, lambda p: p.last == 260)
    assert (await world.complete()).audited == 260


async def test_a_stream_lost_while_audit_runs_is_repaired_from_the_log(world: World) -> None:
    await world.note(10)
    await world.complete()
    await world.producers["executor"].bus.js.delete_stream("EXECUTOR")
    await world.note(20)
    assert (await world.complete(30)).audited == 30


async def test_an_organization_sees_its_own_entries_only(world: World) -> None:
    await world.note(2, ONE)
    await world.note(3, TWO)
    await world.complete()
    ones = (await world.ask(FindEntries(), ONE))["data"]
    assert len(ones) == 2
    assert await world.ask(FindEntry(event_id=ones[0]["id"]), ONE) == ones[0]
    for event_id in (ones[0]["id"], "evt_00000000000000000000000000"):
        with pytest.raises(NotFound):
            await world.ask(FindEntry(event_id=event_id), TWO)
    async with world.audit.database.read(TWO) as connection:
        found = await connection.execute(text("select org from trails"))
        assert found.scalars().all() == [TWO]
        found = await connection.execute(text("select count(*) from details"))
        assert found.scalar_one() == 3
    with pytest.raises(Forbidden):
        await world.ask(FindEntries(), ONE, "usage:read")


async def test_an_entry_holds_ids_and_nothing_that_was_processed(world: World) -> None:
    execution = await world.note(1)
    await world.complete()
    entry = (await world.ask(FindEntries()))["data"][0]
    assert entry | {"id": "", "occurred_at": ""} == {
        "id": "", "type": "executor.event.noted", "category": "execution",
        "producer": "executor", "number": 1, "resource_kind": "execution",
        "resource": execution, "version": 1, "actor": "per_1", "outcome": "success",
        "address": None, "user_agent": None, "request_id": "req_1", "occurred_at": "",
    }  # fmt: skip


async def test_entries_are_found_by_type_actor_resource_and_time(world: World) -> None:
    first = await world.note(2, actor="per_1")
    await world.note(3, actor="key_1")
    await world.complete()

    async def found(**filters: object) -> int:
        return len((await world.ask(FindEntries.model_validate(filters)))["data"])

    assert await found(actor=["key_1"]) == 3
    assert await found(actor=["key_1", "per_1"]) == 5
    assert await found(resource=[first]) == 2
    assert await found(event_type=["executor.event.noted"]) == 5
    assert await found(event_type=["executor.*"]) == 5
    assert await found(event_type=["workflows.*"]) == 0
    assert await found(event_type=["executor.*"], actor=["key_1"], resource=[first]) == 0
    assert await found(event_type=["executor.*"], actor=["per_1"], resource=[first]) == 2
    assert await found(category=["execution"]) == 5
    assert await found(category=["billing"]) == 0
    assert await found(outcome=["success"]) == 5
    assert await found(outcome=["failure", "refused"]) == 0
    now = datetime.now(UTC)
    assert await found(from_at=now - timedelta(hours=1), to_at=now + timedelta(hours=1)) == 5
    assert await found(to_at=now - timedelta(hours=1)) == 0


async def test_pages_of_the_trail_have_no_gap_and_no_repeat(world: World) -> None:
    await world.note(7)
    await world.complete()
    seen, after = [], None
    while True:
        page = await world.ask(FindEntries(limit=3, after=after))
        seen += [entry["version"] for entry in page["data"]]
        if (after := page["next"]) is None:
            break
        await world.note(1)
    assert seen == [7, 6, 5, 4, 3, 2, 1]
