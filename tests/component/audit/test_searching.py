"""What a search finds is what fits, whichever index leads to it: held against all entries."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests_support.desk import ORG, Desk
from tests_support.servers import Servers

from services.audit import probing
from services.audit.contract import EntryShown, FindEntries
from services.audit.searching import find_entries

TYPES = ("executor.event.effect-ended", "executor.event.noted", "identity.event.sign-in-refused")
ACTORS = ("per_1", "per_2", "key_1", "system:executor")
OUTCOMES = ("success", "failure", "refused")
SPREAD_MINUTES = 4 * 24 * 60
Ids = list[str]


@pytest.fixture
async def desk(servers: Servers, tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(servers, tmp_path)
    yield made
    await made.database.close()


async def many(desk: Desk, some: random.Random, count: int = 300) -> list[EntryShown]:
    """Over four days, a few of them late; as a search for nothing in particular shows them."""
    now = datetime.now(UTC)
    minutes = sorted(some.randrange(SPREAD_MINUTES) for _ in range(count))
    for late in range(0, count, 40):
        minutes.append(minutes.pop(late))
    for at in range(0, count, 25):
        await desk.enter([
            desk.event(
                time=now - timedelta(minutes=SPREAD_MINUTES - minute, milliseconds=minute % 7),
                type=some.choices(TYPES, (20, 5, 1))[0], actor=some.choice(ACTORS),
                data=msgspec.Raw(b'{"outcome":"%s"}' % some.choice((b"done", b"failed"))),
            )
            for minute in minutes[at : at + 25]
        ])  # fmt: skip
    shown = await desk.found(limit=200)
    oldest = await desk.found(limit=200, order="asc")
    found = {entry.id: entry for entry in (*oldest, *reversed(shown))}
    assert len(found) == count
    return list(found.values())


def query(some: random.Random) -> dict[str, Any]:
    """Some of the filters, alone or together."""
    asked: dict[str, Any] = {}
    if some.random() < 0.5:
        asked["actor"] = some.sample(ACTORS, some.choice((1, 1, 2)))
    if some.random() < 0.5:
        asked["event_type"] = some.sample(TYPES, some.choice((1, 1, 2)))
    if some.random() < 0.4:
        asked["outcome"] = some.sample(OUTCOMES, some.choice((1, 2)))
    if some.random() < 0.7:
        begin = datetime.now(UTC) - timedelta(minutes=some.randrange(SPREAD_MINUTES))
        asked["from_at"] = begin
        asked["to_at"] = begin + timedelta(minutes=some.choice((1, 10, 95, 1500, 9000)))
    return asked


def fits(entry: EntryShown, asked: dict[str, Any]) -> bool:
    return (
        entry.actor in asked.get("actor", ACTORS)
        and entry.type in asked.get("event_type", TYPES)
        and entry.outcome in asked.get("outcome", OUTCOMES)
        and ("from_at" not in asked or asked["from_at"] <= entry.occurred_at < asked["to_at"])
    )


async def paged(desk: Desk, asked: dict[str, Any], limit: int) -> Ids:
    found, after = Ids(), None
    while True:
        given = FindEntries.model_validate(asked | {"limit": limit, "after": after})
        async with desk.database.read(ORG) as connection:
            page = await find_entries(connection, desk.keys, desk.people, given)
        found += [entry.id for entry in page.data]
        if (after := page.next) is None:
            return found


@pytest.mark.parametrize("few", [probing.FEW, 0])
async def test_any_filters_together_find_what_fits_in_the_order_of_days(
    desk: Desk, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Along one index, or, as if each filter fitted many rows, with one laid over the other."""
    monkeypatch.setattr(probing, "FEW", few)
    monkeypatch.setattr(probing, "NEWEST_ROWS", 20)
    some = random.Random(few)
    entries = await many(desk, some)
    for _ in range(20):
        asked = query(some)
        expected = [entry.id for entry in entries if fits(entry, asked)]
        assert await paged(desk, asked | {"order": "asc"}, some.choice((20, 200))) == expected, (
            asked
        )
        assert await paged(desk, asked, some.choice((20, 200))) == expected[::-1], asked


async def test_what_has_no_slot_of_its_day_is_found_by_its_time_too(desk: Desk) -> None:
    """As what was entered before there were slots, or by a clock that was ahead."""
    now = datetime.now(UTC)
    (event,) = await desk.add(time=now - timedelta(hours=30))
    begin, end = event.time - timedelta(minutes=5), event.time + timedelta(hours=1)
    assert len(await desk.found(from_at=begin, to_at=end)) == 1
    assert desk.rows("update audit_detail set slot = 0 returning 1") == [(1,)]
    assert len(await desk.found(from_at=begin, to_at=end)) == 1
    assert await desk.found(to_at=begin) == []


async def test_slots_say_nothing_of_a_time_to_who_has_no_key(desk: Desk) -> None:
    await desk.add(2, time=datetime.now(UTC) - timedelta(hours=30))
    await desk.add(2, time=datetime.now(UTC) - timedelta(hours=54))
    slots = [slot for (slot,) in desk.rows("select slot from audit_detail order by day, seq")]
    assert slots[0] == slots[1] != slots[2] == slots[3], "the same minutes of two days differ"
    assert min(map(abs, slots)) > 144


async def test_a_day_that_is_forgotten_during_the_search_is_just_not_found(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    await desk.add(time=now - timedelta(days=2))
    (kept,) = await desk.add(time=now)
    days_of = desk.keys.of
    forgotten: list[int] = []

    def forget(day: int) -> Any:
        """Another process takes the step right after this one looked which days are kept."""
        if not forgotten:
            forgotten.append(day)
            desk.keys.forget_until(int(now.timestamp()) // 86_400)
        return days_of(day)

    monkeypatch.setattr(type(desk.keys), "of", lambda keys, day: forget(day))
    found = await desk.found(order="asc")
    assert [entry.number for entry in found] == [kept.sequence]
    assert forgotten
