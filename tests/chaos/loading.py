"""Starts the load generator and reads what it wrote down."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cli.environment import CODE
from tests.chaos.facts import Acknowledged, Request
from tests.chaos.load import Job

END_S = 60.0


@dataclass
class Loading:
    """The running generator; its receiver answers until `close`."""

    process: "subprocess.Popen[str]"
    job: Job

    @property
    def folder(self) -> Path:
        return Path(self.job.folder)

    def in_flight(self) -> int:
        """Calls that nobody has answered yet."""
        address = f"http://127.0.0.1:{self.job.port}/status"
        with urllib.request.urlopen(address, timeout=3) as answer:
            return msgspec.json.decode(answer.read())["in_flight"]

    def ask_to_end(self) -> None:
        self.process.terminate()

    def ended(self) -> bool:
        """All callers got their last answer; the receiver still listens."""
        return "calls ended" in (self.folder / "load.out").read_text()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(END_S)

    def acknowledged(self) -> list[Acknowledged]:
        decode = msgspec.json.Decoder(Acknowledged).decode
        return [decode(line) for line in _lines(self.folder / "acknowledged.jsonl")]

    def requests(self) -> list[Request]:
        decode = msgspec.json.Decoder(Request).decode
        return [decode(line) for line in _lines(self.folder / "requests.jsonl")]

    def refusals(self) -> dict[str, int]:
        """How often a caller had to try again, and why; known after `close`."""
        return msgspec.json.decode((self.folder / "refusals.json").read_bytes())


def _lines(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines()


@contextmanager
def loading(job: Job) -> Iterator[Loading]:
    folder = Path(job.folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.json").write_bytes(msgspec.json.encode(job))
    for name in ("acknowledged.jsonl", "requests.jsonl"):
        (folder / name).touch()
    with (folder / "load.out").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.load", str(folder / "job.json")],
            stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, text=True, cwd=CODE,
        )  # fmt: skip
    try:
        yield Loading(process, job)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
