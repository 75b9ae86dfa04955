"""RFC 3339 times and the small set of formats, independent of the process's locale."""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,2}")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PATTERNS = {
    "Y": "([0-9]{4})",
    "m": "([0-9]{2})",
    "d": "([0-9]{2})",
    "H": "([0-9]{2})",
    "M": "([0-9]{2})",
    "S": "([0-9]{2})",
    "j": "([0-9]{3})",
    "z": "(Z|[+-][0-9]{2}:?[0-9]{2})",
    "a": f"({'|'.join(_DAYS)})",
    "b": f"({'|'.join(_MONTHS)})",
}
FORMAT_CHARS_MAX = 200


def parse_rfc3339(text: str) -> datetime:
    """The instant in UTC; ValueError says what is wrong with the text."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("a time is written like 2026-01-31T09:00:00Z")
    year, month, day, hour, minute, second = (int(each) for each in match.groups()[:6])
    micro = int((match[7] or "0").ljust(6, "0")[:6])
    return _instant((year, month, day, hour, minute, second, micro), match[8])


def format_rfc3339(time: datetime) -> str:
    """The instant in UTC with milliseconds, `2026-01-31T09:00:00.000Z`."""
    in_utc = time if time.tzinfo is UTC else time.astimezone(UTC)
    return in_utc.isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def parse_format(text: str, pattern: str) -> datetime:
    """Reads a time written in the format; without `%z` it is in UTC, without a day the first."""
    letters: list[str] = []
    parts: list[str] = []
    for literal, letter in _directives(pattern):
        parts.append(re.escape(literal))
        if letter:
            letters.append(letter)
            parts.append(_PATTERNS[letter])
    match = re.fullmatch("".join(parts), text)
    if match is None:
        raise ValueError(f"the text is not written as {pattern}")
    got: dict[str, str] = {}
    for letter, value in zip(letters, match.groups(), strict=True):
        if got.setdefault(letter, value) != value:
            raise ValueError(f"the text has two values for %{letter}")
    return _from_parts(got)


def _from_parts(got: dict[str, str]) -> datetime:
    if "Y" not in got:
        raise ValueError("the format has no %Y")
    month = _MONTHS.index(got["b"]) + 1 if "b" in got else int(got.get("m", "1"))
    clock = (int(got.get("H", "0")), int(got.get("M", "0")), int(got.get("S", "0")), 0)
    time = _instant((int(got["Y"]), month, int(got.get("d", "1")), *clock), got.get("z", "Z"))
    if "j" in got:
        days = int(got["j"]) - 1
        moved = _moved(time.replace(month=1, day=1), timedelta(days=days))
        if days < 0 or moved.year != time.year:
            raise ValueError("there is no such day in the year")
        time = moved
    return time


def format_as(time: datetime, pattern: str, zone: str) -> str:
    """The instant in the zone, in the format; day and month names are English everywhere."""
    try:
        local = time.astimezone(_named_zone(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError, OverflowError):
        raise ValueError("there is no such time zone; write one like Europe/Vilnius") from None
    written = {
        "Y": f"{local.year:04}",
        "m": f"{local.month:02}",
        "d": f"{local.day:02}",
        "H": f"{local.hour:02}",
        "M": f"{local.minute:02}",
        "S": f"{local.second:02}",
        "j": f"{local.timetuple().tm_yday:03}",
        "z": _offset(local),
        "a": _DAYS[local.weekday()],
        "b": _MONTHS[local.month - 1],
    }
    return "".join(
        literal + (written[letter] if letter else "") for literal, letter in _directives(pattern)
    )


@lru_cache(maxsize=1024)
def _named_zone(name: str) -> ZoneInfo:
    if _ZONE_NAME.fullmatch(name) is None:
        raise ValueError
    return ZoneInfo(name)


def add_seconds(time: datetime, seconds: float) -> datetime:
    return _moved(time, timedelta(seconds=seconds))


def _moved(time: datetime, by: timedelta) -> datetime:
    try:
        return time + by
    except OverflowError:
        raise ValueError("the time is after the year 9999") from None


def _directives(pattern: str) -> list[tuple[str, str]]:
    """The format as (literal, letter) pairs, the last letter empty."""
    if len(pattern) > FORMAT_CHARS_MAX:
        raise ValueError(f"a format has at most {FORMAT_CHARS_MAX} characters")
    first, *rest = pattern.split("%")
    pairs: list[tuple[str, str]] = []
    literal = first
    for piece in rest:
        if piece[:1] not in _PATTERNS:
            raise ValueError("a format knows %Y %m %d %H %M %S %z %j %a %b only")
        pairs.append((literal, piece[0]))
        literal = piece[1:]
    return [*pairs, (literal, "")]


def _instant(parts: tuple[int, int, int, int, int, int, int], offset: str) -> datetime:
    try:
        return datetime(*parts, tzinfo=_zone(offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such day or time of day") from None


def _zone(offset: str) -> timezone:
    if offset in "Zz":
        return UTC
    digits = offset[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError
    return timezone((-1 if offset[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes))


def _offset(local: datetime) -> str:
    minutes = round((local.utcoffset() or timedelta()).total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
