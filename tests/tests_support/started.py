"""Commands of ours as a user starts them: in processes of their own, output in files."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
WITHIN_S = 90


@dataclass
class Started:
    """A `troth` command whose output goes into files."""

    process: "subprocess.Popen[bytes]"
    out: Path
    err: Path

    @property
    def said(self) -> str:
        return self.out.read_text()

    def until_it_says(self, text: str) -> str:
        """The line with `text`, as soon as it is there whole."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            for line in self.said.splitlines(keepends=True):
                if text in line and line.endswith("\n"):
                    return line.rstrip("\n")
            assert self.process.poll() is None, self.said + self.err.read_text()
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)

    def ended(self) -> int:
        return self.process.wait(WITHIN_S)

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.ended()


Start = Callable[..., Started]


@contextmanager
def starting(folder: Path) -> Iterator[Start]:
    """Starts `troth …`; what still runs at the end is stopped. What is said goes into `folder`."""
    started: list[Started] = []
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TROTH_")}
    environment = kept | {"PYTHONPATH": str(ROOT), "TROTH_CONFIG_DIR": str(folder)}

    def go(*words: str, **more: str) -> Started:
        out, err = folder / f"{len(started)}.out", folder / f"{len(started)}.err"
        with out.open("wb") as o, err.open("wb") as e:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", *words], stdout=o, stderr=e, cwd=folder,
                stdin=subprocess.DEVNULL, env=environment | more,
            )  # fmt: skip
        started.append(Started(process, out, err))
        return started[-1]

    try:
        yield go
    finally:
        for one in started:
            if one.process.poll() is None:
                one.process.terminate()
                one.process.wait(WITHIN_S)
