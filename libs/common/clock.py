"""The wall clock of a process; tests and drills move it ahead by `TROTH_CLOCK_OFFSET_S`.

Whatever is decided or recorded by the time of day is decided by this clock: in SQL by the function
`wall_clock()`, which every connection gets the same offset for. Deadlines, leases and timers count
seconds from now and need no moved clock.
"""

import os
import time
from datetime import UTC, datetime

VARIABLE = "TROTH_CLOCK_OFFSET_S"


def offset_of(given: str) -> float:
    """The seconds that a variable says; nothing is 0. Back it goes nowhere: a log only grows."""
    try:
        offset = float(given or 0)
    except ValueError:
        offset = -1.0
    if not 0 <= offset < 10**10:
        raise SystemExit(f"{VARIABLE} has to be a number of seconds, 0 or more, not {given!r}")
    return offset


offset_s = offset_of(os.environ.get(VARIABLE, ""))


def now() -> datetime:
    """The moment, in UTC."""
    return datetime.fromtimestamp(seconds(), UTC)


def seconds() -> float:
    """Seconds since 1970."""
    return time.time() + offset_s


def milliseconds() -> int:
    """Whole milliseconds since 1970."""
    return time.time_ns() // 1_000_000 + int(offset_s * 1000)
