"""What a search finds is what fits, whichever index leads to it: held against all entries."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from tests_support.desk import ORG, Desk
from tests_support.servers import Servers

from libs.common.testing import eventually
from services.audit import probing
from services.audit.contract import EntryShown, FindEntries
from services.audit.pairing import pair
from services.audit.searching import find_entries

TYPES = ("executor.event.effect-ended", "executor.event.noted", "identity.event.sign-in-refused")
ACTORS = ("per_1", "per_2", "key_1", "system:executor")
OUTCOMES = ("success", "failure", "refused")
SPREAD_MINUTES = 4 * 24 * 60
PAIRS_OF_A_DAY = 5
OF_PAIRS = r"'^audit_detail_\d+_[a-z_]+_outcome$'"
PAIRED = f"select relname from pg_class where relkind = 'i' and relname ~ {OF_PAIRS}"
USED = f"""
select indexrelname from pg_stat_user_indexes where idx_scan > 0 and indexrelname ~ {OF_PAIRS}
"""
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


@pytest.mark.parametrize(("few", "paired"), [(probing.FEW, False), (0, False), (0, True)])
async def test_any_filters_together_find_what_fits_in_the_order_of_days(
    desk: Desk, few: int, paired: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Along one index; or, as if each filter fitted many rows, with one laid over the other, or by
    an index on both."""
    monkeypatch.setattr(probing, "FEW", few)
    monkeypatch.setattr(probing, "NEWEST_ROWS", 20)
    some = random.Random(few)
    entries = await many(desk, some)
    assert not paired or await pair(desk.database) > 0
    for _ in range(20):
        asked = query(some)
        expected = [entry.id for entry in entries if fits(entry, asked)]
        assert await paged(desk, asked | {"order": "asc"}, some.choice((20, 200))) == expected, (
            asked
        )
        assert await paged(desk, asked, some.choice((20, 200))) == expected[::-1], asked


async def test_only_days_that_are_over_get_indexes_on_pairs_and_each_once(desk: Desk) -> None:
    today = int(datetime.now(UTC).timestamp()) // 86_400
    for back in (0, 1, 3):
        await desk.add(3, time=datetime.now(UTC) - timedelta(days=back))

    assert await pair(desk.database) == 2 * PAIRS_OF_A_DAY
    assert await pair(desk.database) == 0
    made = [name for (name,) in desk.rows(PAIRED)]
    assert {int(name.split("_")[2]) for name in made} == {today - 1, today - 3}
    await desk.add(time=datetime.now(UTC) - timedelta(days=3))
    late = datetime.now(UTC) - timedelta(days=2)
    assert len(await desk.found(actor=["system:executor"], to_at=late)) == 4


async def test_what_fits_two_filters_is_found_by_the_index_on_both(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "FEW", 0)
    data = msgspec.Raw(b'{"outcome":"failed"}')
    await desk.add(40, time=datetime.now(UTC) - timedelta(days=2))
    await desk.add(2, time=datetime.now(UTC) - timedelta(days=2), data=data)
    await pair(desk.database)

    found = await desk.found(event_type=["executor.event.noted"], outcome=["failure"])

    assert len(found) == 2

    async def used() -> list[str]:
        async with desk.database.read(ORG) as connection:
            await connection.execute(text("select pg_stat_force_next_flush()"))
        return [name for (name,) in desk.rows(USED)]

    names = await eventually(used, bool, 10)
    assert [name.endswith("_type_outcome") for name in names] == [True]


async def test_the_rarest_filter_leads_though_nothing_was_entered_in_the_newest_days(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = datetime.now(UTC) - timedelta(days=9)
    await desk.add(30, time=past)
    await desk.add(type="executor.event.other", time=past)
    led: set[str] = set()
    asked = probing.Probes._ask

    async def ask(self: Any, statement: str, way: str, columns: Any, values: Any) -> Any:
        led.add(columns[0])
        return await asked(self, statement, way, columns, values)

    monkeypatch.setattr(probing.Probes, "_ask", ask)
    found = await desk.found(event_type=["executor.event.other"], outcome=["success"])

    assert (len(found), led) == (1, {"type"})


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
