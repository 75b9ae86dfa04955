"""The functions over times and durations, which are texts."""

from datetime import datetime
from typing import Any

from libs.language import times
from libs.language.arguments import text, wrong_value
from libs.language.durations import parse_duration
from libs.language.errors import ExpressionError
from libs.language.meter import Meter

_STEPS = 20


def now(meter: Meter) -> str:
    return meter.clock


def parse_time(meter: Meter, value: Any, pattern: Any) -> str:
    source, form = text("parse_time", 1, value), text("parse_time", 2, pattern)
    meter.charge(_STEPS + (len(source) >> 5))
    try:
        return times.format_rfc3339(times.parse_format(source, form))
    except ValueError as error:
        raise wrong_value("parse_time", str(error)) from None


def format_time(meter: Meter, value: Any, pattern: Any, zone: Any) -> str:
    time = _time(meter, "format_time", value)
    form, place = text("format_time", 2, pattern), text("format_time", 3, zone)
    try:
        return times.format_as(time, form, place)
    except ValueError as error:
        raise wrong_value("format_time", str(error)) from None


def add_time(meter: Meter, value: Any, duration: Any) -> str:
    time = _time(meter, "add_time", value)
    try:
        seconds = parse_duration(text("add_time", 2, duration))
        return times.format_rfc3339(times.add_seconds(time, seconds))
    except ExpressionError as error:
        if error.code != "bad-duration":
            raise
        raise wrong_value("add_time", error.message) from None
    except ValueError as error:
        raise wrong_value("add_time", str(error)) from None


def _time(meter: Meter, function: str, value: Any) -> datetime:
    source = text(function, 1, value)
    meter.charge(_STEPS)
    try:
        return times.parse_rfc3339(source)
    except ValueError as error:
        raise wrong_value(function, str(error)) from None
