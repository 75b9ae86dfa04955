"""A live stream when little happens: it rests but for one entry an hour and a check a day."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests_support.servers import Servers
from tests_support.siem import Siem, siem, told

from libs.common.testing import eventually
from services.audit import siem_outbox
from services.audit.contract import FindEntries
from tests.fakes.receiver import Receiver, says

from .conftest import ONE, World


@pytest.fixture
async def carried(servers: Servers, tmp_path: Path) -> AsyncIterator[Siem]:
    async with Receiver() as receiver, siem(World(servers, tmp_path), receiver) as made:
        yield made


async def test_an_idle_instance_with_a_stream_rests(
    carried: Siem, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = 0
    real = siem_outbox.due

    async def counted(*arguments: Any) -> Any:
        nonlocal turns
        turns += 1
        return await real(*arguments)

    monkeypatch.setattr(siem_outbox, "due", counted)

    async def some_turns() -> None:
        until = turns + 15

        async def made() -> int:
            return turns

        await eventually(made, lambda n: n >= until)
        await carried.world.complete()

    made = await carried.create()
    await carried.world.note(10)
    await carried.all_arrived(made.id)
    await some_turns()
    rest, posts = carried.size(), len(carried.receiver.seen)
    await some_turns()
    assert (carried.size(), len(carried.receiver.seen)) == (rest, posts)
    for hour in (1, 2, 3):
        carried.world.now += timedelta(hours=1)
        await some_turns()
        assert carried.size() == rest + 1, f"{hour} hours later"
        assert len(carried.receiver.seen) == posts
    [fact] = await told(carried, "siem-delivered")
    numbers = carried.numbers()
    assert (fact["count"], fact["first"], fact["last"]) == (len(numbers), 0, numbers[-1])
    assert "siem-delivered" not in str(carried.entries())
    query = FindEntries(event_type=["audit.event.siem-delivered"])
    assert len((await carried.ask(query))["data"]) == 1, "it stands in the trail all the same"


async def test_the_health_check_is_made_when_the_day_turns(carried: Siem) -> None:
    made = await carried.create()
    await carried.all_arrived(made.id)
    await carried.world.note(7)
    await carried.all_arrived(made.id)
    sent = len(carried.numbers())
    now = carried.world.now
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    carried.world.now = midnight - timedelta(seconds=1)
    await carried.world.note(2)
    await carried.all_arrived(made.id)
    assert len(carried.checks()) == 1, "the day has not turned"
    carried.world.now = midnight
    await carried.until(made.id, lambda s: s.last_health_at == midnight)
    first, second = (check.json["data"] for check in carried.checks())
    assert (first["delivered"], second["delivered"]) == (0, sent + 2)
    # The entry that says what was delivered may be made in this very moment.
    assert second["waiting"] <= 1 and second["lag_s"] <= 1 and second["lost"] == 0
    assert carried.numbers()[-1] < second["position"] <= carried.size()
    assert carried.checks()[1].json["timestamp"].endswith("T00:00:00.000Z")
    outcomes = [fact["outcome"] for fact in await told(carried, "siem-checked")]
    assert outcomes == ["ok", "ok"]


async def test_a_failed_health_check_is_made_again_each_hour_and_told_twice(carried: Siem) -> None:
    carried.receiver.reply = says(500)
    made = await carried.create()
    for hours in (1, 2, 3):
        state = await carried.until(made.id, lambda s, n=hours: s.failures == n)
        assert len(carried.checks()) == hours
        carried.world.now += timedelta(minutes=61)
    assert state.last_health == "failed"
    carried.receiver.reply = says(200)
    carried.world.now += timedelta(minutes=61)
    await carried.until(made.id, lambda s: s.last_health == "ok")
    outcomes = [fact["outcome"] for fact in await told(carried, "siem-checked")]
    assert outcomes == ["failed", "ok"]


async def test_who_reads_the_trail_is_told_when_it_failed_for_an_hour(carried: Siem) -> None:
    made = await carried.create()
    await carried.all_arrived(made.id)
    carried.receiver.reply = says(500)
    await carried.world.note(1)
    await carried.until(made.id, lambda s: s.failures == 1)
    carried.world.now += timedelta(minutes=59)
    await carried.until(made.id, lambda s: s.failures == 2)
    assert carried.notices == []
    carried.world.now += timedelta(minutes=2)

    async def notices() -> list[Any]:
        return carried.notices

    await eventually(notices, bool)
    await carried.until(made.id, lambda s: s.failures >= 3)
    [(organization, notice)] = carried.notices
    assert (organization, notice.template, notice.audience) == (ONE, "siem-failing", "audit:read")
    assert notice.facts == {"stream": made.id}
