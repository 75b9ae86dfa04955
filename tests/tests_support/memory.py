"""Folders of tests in memory, where there is plenty: nothing that a test writes has to last."""

import os
import tempfile
from pathlib import Path

PLACE = Path("/dev/shm")
NEEDS_BYTES = 8 << 30  # a whole run holds a third of it at most


def fits(place: Path = PLACE) -> bool:
    """There is such a place, programs may be run from it, and neither it nor memory is scarce."""
    try:
        about, memory = os.statvfs(place), Path("/proc/meminfo").read_text()
    except OSError:
        return False
    available = next(
        (int(line.split()[1]) << 10 for line in memory.splitlines() if "MemAvailable" in line), 0
    )
    free = about.f_bavail * about.f_frsize
    return (
        os.access(place, os.W_OK | os.X_OK)
        and not about.f_flag & os.ST_NOEXEC
        and min(free, available) >= NEEDS_BYTES
    )


def use_it() -> None:
    """For this process and all that it starts; a folder that the caller chose stays."""
    if "TMPDIR" not in os.environ and fits():
        os.environ["TMPDIR"] = str(PLACE)
        tempfile.tempdir = None  # it is looked up anew
