"""Starting the load generator and taking what it measured."""

import subprocess
import sys
from tempfile import TemporaryFile
from typing import IO
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
        seconds: float | None = None, count: int | None = None, keeps: int | None = None,
    ) -> None:  # fmt: skip
        parts = urlsplit(address)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        job = Job(host, port, requests, connections, seconds, count, keeps)
        # Files, not pipes: what it measured must not wait for us, and is larger than a pipe holds.
        self._out, self._said = TemporaryFile(), TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.generator"],
            stdin=subprocess.PIPE, stdout=self._out, stderr=self._said, env=with_code({}),
        )  # fmt: skip
        assert self._process.stdin is not None, "asked for"
        self._process.stdin.write(msgspec.json.encode(job))
        self._process.stdin.close()

    def take(self, status: int) -> Done:
        """What it measured. Raises Failed unless every call was answered by `status`."""
        done = self.take_any()
        other = {code: n for code, n in done.statuses.items() if code != status}
        if other:
            found = ", ".join(f"{n} × {code or 'no answer'}" for code, n in sorted(other.items()))
            raise Failed(f"of {done.answered} calls some were not answered by {status}: {found}")
        return done

    def take_any(self) -> Done:
        """What it measured, whatever the answers were."""
        try:
            code = self._process.wait(FINISH_WITHIN_S)
            out, said = _text_of(self._out), _text_of(self._said)
        except subprocess.TimeoutExpired:
            raise Failed("the load generator did not end") from None
        finally:
            self.end()
        if code != 0:
            raise Failed(f"the load generator failed:\n{said[-1500:]}")
        return msgspec.json.decode(out, type=Done)

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._out.close()
        self._said.close()


def _text_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def run(
    address: str, requests: list[str], connections: int, status: int, *,
    seconds: float | None = None, count: int | None = None,
) -> Done:  # fmt: skip
    return Generator(address, requests, connections, seconds=seconds, count=count).take(status)
