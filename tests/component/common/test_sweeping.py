"""The runner of sweeps: one that fails stops no other, and what is late is seen."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from tests_support import ledger as mini

from libs.common import clock, sweeping
from libs.common.database import Database
from libs.common.eventstore import EventStore, rows
from libs.common.sweeping import Sweep, Sweeping, sql_sweep
from libs.common.testing import PASSWORD, eventually

DAY = timedelta(days=1)
NOTES = sql_sweep(
    "notes",
    "delete from notes where n in (select n from notes where n < 1000 limit :bite)",
    "select null::timestamptz",
    0,
    bite=2,
)


def noted(place: mini.Place, count: int) -> None:
    place.sql(
        "ledger",
        "insert into notes (org, n, stream, version, amount)"
        " select 'org_1', i, 's', i, 1 from generate_series(1, %s) i",
        count,
    )


async def left(place: mini.Place) -> int:
    return place.sql("ledger", "select count(*) from notes")[0][0]


async def since_yesterday(database: Database, at: datetime) -> datetime:
    return at - DAY


async def nothing(database: Database, at: datetime) -> int:
    return 0


async def fails(database: Database, at: datetime) -> int:
    raise ValueError("no such thing")


def metric(name: str, rule: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"rule": rule})


def shown(place: mini.Place, rule: str) -> list[tuple[int, bool, str | None]]:
    return place.sql(
        "ledger", "select gone, overdue is not null, error from sweeps where rule = %s", rule
    )


async def test_what_is_over_goes_in_bites_until_nothing_is_left(
    place: mini.Place, store: EventStore
):
    noted(place, 7)

    turns = await Sweeping(store.database, [NOTES]).turn()

    assert turns["notes"].gone == 7
    assert shown(place, "notes") == [(7, False, None)]


async def test_a_sweep_that_fails_is_said_and_stops_no_other(
    place: mini.Place, store: EventStore, caplog: pytest.LogCaptureFixture
):
    noted(place, 3)
    broken = Sweep("broken", fails, since_yesterday)
    caplog.set_level(logging.ERROR)

    turns = await Sweeping(store.database, [broken, NOTES]).turn()

    assert (turns["broken"].error, turns["notes"].gone) == ("ValueError", 3)
    assert shown(place, "broken") == [(0, True, "ValueError")], "it is late, and that is seen"
    assert metric("troth_retention_failed", "ledger.broken") == 1
    assert metric("troth_retention_failed", "ledger.notes") == 0
    assert [r.message for r in caplog.records] == ["a sweep of retention failed"]


async def test_what_stays_although_its_time_is_over_is_seen_as_a_lag(
    place: mini.Place, store: EventStore
):
    await Sweeping(store.database, [Sweep("late", nothing, since_yesterday)]).turn()

    lag_s = metric("troth_retention_lag_seconds", "ledger.late")
    assert lag_s is not None
    assert DAY.total_seconds() <= lag_s < DAY.total_seconds() + 600
    assert shown(place, "late") == [(0, True, None)]


async def test_a_rule_with_much_to_do_gives_the_others_their_turn(
    place: mini.Place, store: EventStore, monkeypatch: pytest.MonkeyPatch
):
    noted(place, 7)
    monkeypatch.setattr(sweeping, "TURN_S", 0.0)
    runner = Sweeping(store.database, [NOTES])

    first = await runner.turn()
    again = await runner.turn()

    assert (first["notes"].gone, first["notes"].unfinished) == (2, True)
    assert again["notes"].gone == 2


async def test_who_leads_applies_the_rules_at_once(place: mini.Place, streams: None):
    noted(place, 3)
    service = mini.build_ledger(place.settings)
    service.sweeps.append(NOTES)
    await service.start()
    try:
        await eventually(lambda: left(place), lambda count: count == 0)
    finally:
        await service.stop()


async def test_an_event_is_of_the_day_to_which_the_clock_is_moved(
    place: mini.Place, store: EventStore, monkeypatch: pytest.MonkeyPatch
):
    await store.append_each(rows("ledger-org_1-today", 1, [mini.Noted(amount=1)], mini.META))
    monkeypatch.setattr(clock, "offset_s", 91 * DAY.total_seconds())
    settings = place.settings
    later = EventStore(
        Database(settings.database_url, "ledger", PASSWORD, PASSWORD, settings.database_prefix)
    )
    await later.database.open()
    try:
        await later.append_each(rows("ledger-org_1-then", 1, [mini.Noted(amount=1)], mini.META))
    finally:
        await later.database.close()

    (today,) = await store.load("ledger-org_1-today")
    (then,) = await store.load("ledger-org_1-then")
    assert abs(then.time - today.time - 91 * DAY) < timedelta(minutes=10)


async def test_no_connection_can_write_an_event_of_yesterday(place: mini.Place, store: EventStore):
    async with store.database.hot.connection() as connection:
        await connection.execute("set troth.clock_offset = '-86400'")
        try:
            cursor = await connection.execute("select wall_clock()")
            found = await cursor.fetchone()
        finally:
            await connection.execute("reset troth.clock_offset")

    assert found is not None
    assert abs(found[0] - datetime.now(UTC)) < timedelta(minutes=1)
