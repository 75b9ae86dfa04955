"""Cron lines: five fields, read and checked, and the next instant at which one fires.

A day fits when both `day` and `weekday` fit; if both are restricted (neither begins with `*`),
it fits when one of them does, as in every crontab. A local time that a clock change skips fires
at the next minute that exists, one that happens twice fires the first time; so nothing fires
twice at one instant.
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

CHARS_MAX = 200
# Leap days that fall on one weekday are up to 40 years apart (around 2100).
YEARS_MAX = 41
MINUTE = timedelta(minutes=1)
MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI",
                                                        "SAT"))}  # fmt: skip
PART = re.compile(
    r"(?:(\*)|([0-9]{1,2}|[A-Za-z]{3})(?:-([0-9]{1,2}|[A-Za-z]{3}))?)(?:/([0-9]{1,2}))?"
)


class CronError(ValueError):
    """A cron line that can't be read or never fires; `found` is the part at fault."""

    def __init__(self, message: str, found: str) -> None:
        super().__init__(message)
        self.found = found


@dataclass(frozen=True, slots=True)
class Field:
    """What one field may hold."""

    name: str
    low: int
    high: int
    names: dict[str, int]


FIELDS = (
    Field("minute", 0, 59, {}),
    Field("hour", 0, 23, {}),
    Field("day", 1, 31, {}),
    Field("month", 1, 12, MONTHS),
    Field("weekday", 0, 7, WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron line that was read; weekdays are 0 (Sunday) to 6."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool  # a day fits by `days` or by `weekdays`, else by both

    def fits(self, day: date) -> bool:
        """Whether the line fires on a day."""
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        fits = in_month or in_week if self.either else in_month and in_week
        return fits and day.month in self.months

    def local_times(self, start: datetime) -> Iterator[datetime]:
        """The local times, without a zone, from `start` on; no more than 41 years of them."""
        first = start.date()
        for day in self.days_from(first):
            for hour in self.hours:
                for minute in self.minutes:
                    local = datetime.combine(day, time(hour, minute))
                    if local >= start:
                        yield local

    def days_from(self, first: date) -> Iterator[date]:
        """The days that fit, in order."""
        last = date(min(first.year + YEARS_MAX, date.max.year), 12, 31)
        for year in range(first.year, last.year + 1):
            for month in sorted(self.months):
                if (year, month) < (first.year, first.month):
                    continue
                for number in range(1, calendar.monthrange(year, month)[1] + 1):
                    day = date(year, month, number)
                    if day >= first and self.fits(day):
                        yield day


@lru_cache(maxsize=1024)
def parse_cron(text: str) -> Cron:
    """Read a cron line; CronError says which part is wrong."""
    parts = text.split()
    if len(text) > CHARS_MAX or len(parts) != len(FIELDS):
        hint = "; there are no seconds" if len(parts) == len(FIELDS) + 1 else ""
        message = f"a cron line has five fields, {', '.join(f.name for f in FIELDS)}{hint}"
        raise CronError(message, text)
    minutes, hours, days, months, weekdays = (
        values_of(field, part) for field, part in zip(FIELDS, parts, strict=True)
    )
    cron = Cron(
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(number % 7 for number in weekdays),
        either=not parts[2].startswith("*") and not parts[4].startswith("*"),
    )
    if next(cron.days_from(date(2000, 1, 1)), None) is None:
        raise CronError("this cron line never fires: no such day exists", text)
    return cron


def values_of(field: Field, text: str) -> set[int]:
    """The numbers of one field: a list of `*`, `a`, `a-b`, each perhaps with `/step`."""
    values: set[int] = set()
    for part in text.split(","):
        found = PART.fullmatch(part)
        if found is None:
            message = f"the {field.name} {part!r} can't be read; write *, 5, 1-5, */10 or a list"
            raise CronError(message, part)
        star, first, last, step = found.groups()
        low = field.low if star else number_of(field, first)
        high = low
        if star or (step and last is None):
            high = field.high
        elif last is not None:
            high = number_of(field, last)
            if high == 0 and low > 0 and field.names is WEEKDAYS:
                high = 7  # FRI-SUN: a week that ends with Sunday
        if high < low:
            raise CronError(f"the {field.name} {part!r} ends before it begins", part)
        if step and not int(step):
            raise CronError(f"the {field.name} {part!r} has steps of nothing", part)
        values.update(range(low, high + 1, int(step or 1)))
    return values


def number_of(field: Field, text: str) -> int:
    """A number or name of a field."""
    number = field.names.get(text.upper()) if text.isalpha() else int(text)
    if number is None or not field.low <= number <= field.high:
        names = f" or {', '.join(field.names)}" if field.names else ""
        raise CronError(f"a {field.name} is {field.low} to {field.high}{names}", text)
    return number


def next_after(cron: str, timezone: str, instant: datetime) -> datetime:
    """The first instant after `instant` (aware) at which the line fires there, in UTC.

    `CronError` if there is none before the calendar ends.
    """
    zone = ZoneInfo(timezone)
    local = instant.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0, fold=0)
    for each in parse_cron(cron).local_times(local):
        fires = instant_of(each, zone)
        if fires > instant:
            return fires
    raise CronError("this cron line fires no more", cron)


def instant_of(local: datetime, zone: ZoneInfo) -> datetime:
    """When a local minute is: the first time if there are two, the next one if there is none."""
    at = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == local:
        return at
    return after_gap(local, zone)


def after_gap(local: datetime, zone: ZoneInfo) -> datetime:
    """The first minute that exists after a local time that does not.

    With fold=0 a skipped time is read with the offset before the change, so that it is after it;
    with fold=1 it is before. The first whole minute of the new offset is between the two.
    """
    early = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    late = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    before = early.astimezone(zone).utcoffset()
    while late - early > MINUTE:
        middle = early + (late - early) // MINUTE // 2 * MINUTE
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late
