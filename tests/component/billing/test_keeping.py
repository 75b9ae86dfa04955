"""What was billed is kept for as many calendar years as the law of a country says."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from libs.common import clock
from libs.common.sweeping import Sweeping
from services.billing import keeping
from services.billing.views import usage, used

from .conftest import World

OLD = 20
MINUTE = timedelta(minutes=1)


@pytest.fixture
def next_year(monkeypatch: pytest.MonkeyPatch) -> int:
    """The clock is moved to a minute after the end of a year, everywhere on earth."""
    year = datetime.now(UTC).year + 1
    ends = datetime(year, 1, 1, tzinfo=UTC) + keeping.ELSEWHERE
    monkeypatch.setattr(clock, "offset_s", (ends + MINUTE - datetime.now(UTC)).total_seconds())
    return year


async def billed(world: World, days: Sequence[str]) -> None:
    async with world.billing.database.work() as db:
        for day in days:
            row = {"org": "org_old", "day": day, "workflow": "wf_1", "kind": "manual"}
            await db.execute(insert(usage).values(row | {"executions": 1}))
        for month in sorted({day[:7] for day in days}):
            await db.execute(insert(used).values(org="org_old", month=month, executions=1))


async def kept(world: World) -> tuple[list[str], list[str]]:
    async with world.billing.database.work() as db:
        days = await db.execute(select(usage.c.day).order_by(usage.c.day))
        months = await db.execute(select(used.c.month).order_by(used.c.month))
        return list(days.scalars()), list(months.scalars())


async def sweep(world: World, country: str) -> None:
    sweeps = keeping.sweeps(keeping.years_of(country))
    turns = await Sweeping(world.billing.database, sweeps).turn()
    assert (turns["usage"].error, turns["usage"].overdue) == (None, None)


@pytest.mark.parametrize("country", ["DE", "DK", "FR"])
async def test_the_last_day_of_a_year_goes_and_the_first_of_the_next_one_stays(
    world: World, next_year: int, country: str
):
    first = next_year - keeping.years_of(country)
    await billed(world, [f"{first - 1}-12-31", f"{first}-01-01"])

    await sweep(world, country)

    assert await kept(world) == ([f"{first}-01-01"], [f"{first}-01"])


async def test_nothing_goes_before_the_year_has_ended_everywhere(
    world: World, next_year: int, monkeypatch: pytest.MonkeyPatch
):
    first = next_year - keeping.years_of("DE")
    await billed(world, [f"{first - 1}-12-31"])
    monkeypatch.setattr(clock, "offset_s", clock.offset_s - 2 * MINUTE.total_seconds())

    await sweep(world, "DE")

    assert await kept(world) == ([f"{first - 1}-12-31"], [f"{first - 1}-12"])


async def test_another_country_shortens_at_the_next_turn(world: World, next_year: int):
    six, eight = f"{next_year - 6}-06-01", f"{next_year - 8}-06-01"
    await billed(world, [six, eight])

    await sweep(world, "DE")
    assert (await kept(world))[0] == [eight, six]
    await sweep(world, "DK")

    assert (await kept(world))[0] == []


async def test_what_is_late_is_late_since_its_year_was_over(world: World, next_year: int):
    await billed(world, [f"{next_year - 10}-03-01"])
    (days, _) = keeping.sweeps(keeping.years_of("DE"))

    since = await days.overdue(world.billing.database, clock.now())

    assert since == datetime(next_year - 1, 1, 1, tzinfo=UTC) + keeping.ELSEWHERE


def test_where_no_country_is_given_the_longest_time_counts():
    assert keeping.years_of("") == max(keeping.years_of(c) for c in ("DE", "FR", "DK", "SE"))


def test_a_country_of_which_nothing_is_known_stops_the_start():
    with pytest.raises(SystemExit, match="TROTH_BILLING_JURISDICTION"):
        keeping.years_of("XX")
