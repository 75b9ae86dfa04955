"""Durations (`30s`, at most 365d) and sizes (`256KiB`) as the language writes them."""

import re

from libs.language.errors import ExpressionError

_DURATION = re.compile(r"([0-9]{1,15})(ms|s|m|h|d)")
_SIZE = re.compile(r"([0-9]{1,15})(B|KiB|MiB)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024 * 1024}
DURATION_MAX_S = 365 * 86400


def parse_duration(text: str) -> float:
    """Seconds; `bad-duration` for anything but a whole number with one unit, up to 365d."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ExpressionError(
            "bad-duration", "a duration is a whole number and one of ms, s, m, h, d, such as 30s"
        )
    count, unit = int(match[1]), match[2]
    seconds = count / 1000 if unit == "ms" else float(count * _SECONDS[unit])
    if seconds > DURATION_MAX_S:
        raise ExpressionError("bad-duration", "a duration is at most 365d")
    return seconds


def parse_size(text: str) -> int:
    """Bytes; `bad-size` for anything but a whole number with one of B, KiB, MiB."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ExpressionError(
            "bad-size", "a size is a whole number and one of B, KiB, MiB, such as 256KiB"
        )
    return int(match[1]) * _BYTES[match[2]]
