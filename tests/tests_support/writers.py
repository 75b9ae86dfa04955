"""Appender processes of a test, and what a log must look like after them."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import psycopg

ROOT = Path(__file__).parents[2]


class Writer:
    """One process; `acknowledged` are the ids that its statements had returned."""

    def __init__(self, conninfo: str, seed: int, streams: int, share: float) -> None:
        self._out: IO[bytes] = TemporaryFile()  # noqa: SIM115 - as long as the process
        self._err: IO[bytes] = TemporaryFile()  # noqa: SIM115 - as long as the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests_support.appender", conninfo,
             *map(str, (seed, streams, share))],
            stdout=self._out, stderr=self._err, cwd=ROOT / "tests",
            env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip

    def acknowledged(self) -> list[str]:
        self._out.seek(0)
        lines = self._out.read().decode().split("\n")[:-1]
        return [word for line in lines for word in line.split()]

    def failed_with(self) -> str:
        """What it said when it ended by itself."""
        self._err.seek(0)
        return self._err.read().decode()

    def wait_for(self, events: int, timeout_s: float = 30) -> None:
        deadline = time.monotonic() + timeout_s
        while len(self.acknowledged()) < events:
            assert self.process.poll() is None, self.failed_with()
            assert time.monotonic() < deadline, "the appender is too slow"
            time.sleep(0.02)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def writers(
    conninfo: str, count: int, streams: int = 8, share: float = 0.3
) -> Iterator[list[Writer]]:
    """`share` of the appends are in a transaction of the client, half of those rolled back."""
    made = [Writer(conninfo, seed, streams, share) for seed in range(count)]
    try:
        yield made
    finally:
        for writer in made:
            writer.kill()


def check_log(connection: psycopg.Connection[Any], acknowledged: set[str]) -> int:
    """Numbers without gaps, each stream in order, nothing acknowledged lost; the last number."""
    rows = connection.execute("select n, id::text, stream, version from log order by n").fetchall()
    assert [r[0] for r in rows] == list(range(1, len(rows) + 1)), "numbers have gaps"
    at: dict[str, int] = {}
    for n, _, stream, version in rows:
        assert version == at.get(stream, 0) + 1, f"{stream} v{version} is out of order at {n}"
        at[stream] = version
    lost = acknowledged - {r[1] for r in rows}
    assert not lost, f"{len(lost)} acknowledged events are lost"
    head = connection.execute("select n from heads").fetchone()
    assert head == (len(rows),)
    return len(rows)
