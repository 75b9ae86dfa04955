"""Cron lines: what is read, and the next instant, compared with a scan of every minute."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.language.cron import MINUTE, CronError, next_after, parse_cron

ZONES = ("UTC", "Europe/Vilnius", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
         "Pacific/Apia", "America/Sao_Paulo")  # fmt: skip


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


CASES = [
    # cron, zone, after, then
    ("0 9 * * MON-FRI", "Europe/Vilnius", "2026-01-02T10:00+02:00", "2026-01-05T09:00+02:00"),
    ("*/15 * * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z"),
    ("*/15 * * * *", "UTC", "2026-01-01T00:14:59.999Z", "2026-01-01T00:15:00Z"),
    ("0 0 1 1 *", "UTC", "2026-01-01T00:00Z", "2027-01-01T00:00Z"),
    ("0 0 29 2 *", "UTC", "2026-01-01T00:00Z", "2028-02-29T00:00Z"),
    ("0 0 29 FEB *", "UTC", "2096-03-01T00:00Z", "2104-02-29T00:00Z"),
    ("0 0 13 * FRI", "UTC", "2026-01-01T00:00Z", "2026-01-02T00:00Z"),  # the 13th or a Friday
    ("0 0 */2 * FRI", "UTC", "2026-01-01T00:00Z", "2026-01-09T00:00Z"),  # an odd day and a Friday
    ("0 0 * * 7", "UTC", "2026-01-01T00:00Z", "2026-01-04T00:00Z"),
    ("0 0 * * fri-sun", "UTC", "2026-01-03T00:00Z", "2026-01-04T00:00Z"),
    ("5/20 3 * jan *", "UTC", "2026-01-01T03:06Z", "2026-01-01T03:25Z"),
    # Skipped: from 03:00 to 04:00 on March 29th; what is skipped fires at 04:00, once.
    ("30 3 * * *", "Europe/Vilnius", "2026-03-29T02:00+02:00", "2026-03-29T04:00+03:00"),
    ("30 3 * * *", "Europe/Vilnius", "2026-03-29T04:00+03:00", "2026-03-30T03:30+03:00"),
    ("*/10 3,4 * * *", "Europe/Vilnius", "2026-03-29T04:00+03:00", "2026-03-29T04:10+03:00"),
    # Twice: from 03:00 to 04:00 on October 25th; it fires the first time only.
    ("30 3 * * *", "Europe/Vilnius", "2026-10-25T02:00+03:00", "2026-10-25T03:30+03:00"),
    ("30 3 * * *", "Europe/Vilnius", "2026-10-25T03:30+03:00", "2026-10-26T03:30+02:00"),
    ("*/10 * * * *", "Europe/Vilnius", "2026-10-25T03:50+03:00", "2026-10-25T04:00+02:00"),
    ("*/10 * * * *", "Europe/Vilnius", "2026-10-25T03:15+02:00", "2026-10-25T04:00+02:00"),
    # A day that Samoa left out: 30 December 2011.
    ("0 12 * * *", "Pacific/Apia", "2011-12-29T23:00-10:00", "2011-12-31T00:00+14:00"),
]


@pytest.mark.parametrize(("cron", "zone", "after", "then"), CASES)
def test_the_next_instant_is_the_one_that_people_expect(cron, zone, after, then):
    assert next_after(cron, zone, at(after)) == at(then)


REFUSED = [
    ("", "five fields"),
    ("* * * *", "five fields"),
    ("0 * * * * *", "no seconds"),
    ("@daily", "five fields"),
    ("60 * * * *", "minute is 0 to 59"),
    ("* 24 * * *", "hour is 0 to 23"),
    ("* * 0 * *", "day is 1 to 31"),
    ("* * * 13 *", "month is 1 to 12 or JAN"),
    ("* * * * 8", "weekday is 0 to 7 or SUN"),
    ("* * * * MOO", "weekday is"),
    ("* * * MON *", "month is"),
    ("JAN * * * *", "minute is"),
    ("5-1 * * * *", "ends before it begins"),
    ("* * * * FRI-MON", "ends before it begins"),
    ("*/0 * * * *", "steps of nothing"),
    ("*-5 * * * *", "can't be read"),
    ("1,,2 * * * *", "can't be read"),
    ("-1 * * * *", "can't be read"),
    ("1.5 * * * *", "can't be read"),
    ("* * L * *", "can't be read"),
    ("* * ? * *", "can't be read"),
    ("* * * * MON#2", "can't be read"),
    ("0 0 30 2 *", "never fires"),
    ("0 0 31 4,6,9,11 *", "never fires"),
    ("0 0 1 1 * " + " " * 200, "five fields"),
    ("¹ * * * *", "can't be read"),
]


@pytest.mark.parametrize(("cron", "why"), REFUSED)
def test_a_line_that_is_none_says_why(cron, why):
    with pytest.raises(CronError, match=why):
        parse_cron(cron)


def scanned(cron: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """By looking at every minute of three days: which local times exist, and which fit."""
    line = parse_cron(cron)
    start = after.replace(second=0, microsecond=0) - timedelta(days=2)
    latest = start.astimezone(zone).replace(tzinfo=None) - MINUTE
    instant = start
    while instant < after + timedelta(days=3):
        local = instant.astimezone(zone).replace(tzinfo=None)
        fires = False
        while latest < local:  # every local time up to now, those that were skipped included
            latest += MINUTE
            fits = line.fits(latest.date())
            fires |= fits and latest.hour in line.hours and latest.minute in line.minutes
        if fires and instant > after:
            return instant
        instant += MINUTE
    return None


NUMBERS = st.sampled_from(["*", "*/7", "*/13", "0", "30", "5-20", "0,59", "1-50/9"])
HOURS = st.sampled_from(["*", "*/2", "0", "1", "2", "3", "1-3", "23", "0,12"])
DAYS = st.sampled_from(["*", "*", "*/2", "1", "25-31", "30"])
WEEK = st.sampled_from(["*", "*", "SUN", "MON-FRI", "6,7", "*/3"])
LINES = st.builds("{} {} {} * {}".format, NUMBERS, HOURS, DAYS, WEEK)
# Clock changes of these zones, and days that have none.
CHANGES = ["2026-03-29T01:00Z", "2026-10-25T01:00Z", "2026-03-08T07:00Z", "2026-11-01T06:00Z",
           "2026-04-04T15:00Z", "2026-10-03T15:30Z", "2011-12-30T10:00Z", "2018-11-04T03:00Z",
           "2026-06-30T12:00Z", "2024-02-28T12:00Z"]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    LINES,
    st.sampled_from(ZONES),
    st.sampled_from(CHANGES),
    st.integers(-36 * 60, 36 * 60),
    st.integers(0, 59),
)
def test_the_next_instant_is_what_a_scan_of_every_minute_finds(cron, zone, change, minutes, second):
    after = at(change) + timedelta(minutes=minutes, seconds=second)

    found = next_after(cron, zone, after)
    expected = scanned(cron, ZoneInfo(zone), after)

    assert found > after
    if expected is not None or found < after + timedelta(days=3):
        assert found == expected


@settings(max_examples=50, deadline=None)
@given(LINES, st.sampled_from(ZONES), st.sampled_from(CHANGES))
def test_instants_follow_each_other_and_none_comes_twice(cron, zone, change):
    instant = at(change) - timedelta(hours=5)
    seen = []
    for _ in range(30):
        instant = next_after(cron, zone, instant)
        seen.append(instant)

    assert seen == sorted(set(seen))
    assert all(each.second == each.microsecond == 0 for each in seen)
