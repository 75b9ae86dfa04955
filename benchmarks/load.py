"""Starting the load generator and taking what it measured."""

import subprocess
import sys
from urllib.parse import urlsplit

import msgspec

from benchmarks.generator import Done, Job
from benchmarks.stack import Failed
from cli.environment import with_code

FINISH_WITHIN_S = 600.0


class Generator:
    """A process that sends the calls of a job; started at once, taken when it has ended."""

    def __init__(
        self, address: str, requests: list[str], connections: int, *,
        seconds: float | None = None, count: int | None = None,
    ) -> None:  # fmt: skip
        parts = urlsplit(address)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        job = Job(host, port, requests, connections, seconds, count)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.generator"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=with_code({}),
        )  # fmt: skip
        assert self._process.stdin is not None, "asked for"
        self._process.stdin.write(msgspec.json.encode(job))
        self._process.stdin.close()
        self._process.stdin = None

    def take(self, status: int) -> Done:
        """What it measured. Raises Failed unless every call was answered by `status`."""
        try:
            out, said = self._process.communicate(timeout=FINISH_WITHIN_S)
        finally:
            self.end()
        if self._process.returncode != 0:
            raise Failed(f"the load generator failed:\n{said.decode(errors='replace')[-1500:]}")
        done = msgspec.json.decode(out, type=Done)
        other = {code: n for code, n in done.statuses.items() if code != status}
        if other:
            found = ", ".join(f"{n} × {code or 'no answer'}" for code, n in sorted(other.items()))
            raise Failed(f"of {done.answered} calls some were not answered by {status}: {found}")
        return done

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def run(
    address: str, requests: list[str], connections: int, status: int, *,
    seconds: float | None = None, count: int | None = None,
) -> Done:  # fmt: skip
    return Generator(address, requests, connections, seconds=seconds, count=count).take(status)
