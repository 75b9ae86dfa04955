"""The wall clock: one for all of us, and nobody looks at another one to decide."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from libs.common import clock, ids
from tools.inventory import ROOT

WALL = re.compile(r"datetime\.now\(|\btime\.time\(|time_ns\(|utcnow\(")
# Who looks at the machine's clock itself, with the reason.
MAY = {
    "libs/common/clock.py": "it is the clock",
    "libs/egress/webhooks.py": "a receiver's `Retry-After` is a date of its own clock",
    "services/gateway/starts.py": "a deadline some seconds from now, for other processes",
    "services/executor/start.py": "the same deadline",
    "services/executor/event_starts.py": "the same deadline",
    "services/executor/resend.py": "the same deadline",
    "cli/installation.py": "when a process was really started",
    "cli/checks_running.py": "the doctor compares the clocks of machines",
    "cli/demo/receiver.py": "it plays a machine of somebody else",
}


def test_nobody_decides_by_another_clock():
    looks = {
        file.relative_to(ROOT).as_posix()
        for folder in ("libs", "services", "cli")
        for file in (ROOT / folder).rglob("*.py")
        if WALL.search(file.read_text())
    }

    assert looks - set(MAY) == set()
    assert set(MAY) - looks == set(), "they need no exception any more"


def test_without_the_variable_it_is_the_machines_clock():
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert clock.now().tzinfo is UTC


def test_every_process_reads_by_how_much_its_clock_is_moved():
    moved = os.environ | {clock.VARIABLE: "7862400"}
    said = subprocess.run(
        [sys.executable, "-c", "from libs.common import clock; print(clock.now().isoformat())"],
        env=moved, cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    ahead = datetime.fromisoformat(said.strip()) - datetime.now(UTC)
    assert timedelta(days=90, hours=23) < ahead < timedelta(days=91, hours=1)


@pytest.mark.parametrize("given", ["-1", "soon", "nan", "1e12"])
def test_a_clock_that_cannot_be_moved_so_stops_the_start(given: str):
    with pytest.raises(SystemExit, match=clock.VARIABLE):
        clock.offset_of(given)


def test_ids_are_in_the_order_of_the_moved_clock(monkeypatch: pytest.MonkeyPatch):
    today = ids.new("evt")
    monkeypatch.setattr(clock, "offset_s", 86_400.0)

    assert ids.private(ids.new("evt")).int >> 80 >= (ids.private(today).int >> 80) + 86_400_000
