"""The supervisor of `troth up`: starts parts in order, restarts what died, stops all in reverse."""

import logging
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from libs.embedded.children import CannotStart, launch, terminate

BACKOFF_FIRST_S = 0.2
BACKOFF_MAX_S = 10.0
HEALTHY_AFTER_S = 30.0

logger = logging.getLogger(__name__)


class Part(Protocol):
    """What can be supervised: `Process`, `Postgres` and `Nats` are of this shape."""

    @property
    def pid(self) -> int | None: ...

    def start(self) -> None: ...

    def poll(self) -> int | None: ...

    def stop(self, grace_s: float) -> None: ...


class Process:
    """A program of ours. When the supervisor is killed it is killed too: its servers go as well,
    so there is nothing left to drain to."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self._argv = list(argv)
        self._log = log
        self._env = env
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        self._process = launch(
            self._argv, log=self._log, env=self._env, cwd=self._cwd, death_signal=signal.SIGKILL
        )

    def poll(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def stop(self, grace_s: float) -> None:
        if self._process is not None:
            terminate(self._process, grace_s)
            self._process = None


@dataclass(frozen=True)
class Note:
    """What the supervisor saw or did in one `poll`."""

    name: str
    what: Literal["died", "restarted", "restart-failed"]
    detail: str


@dataclass
class _Supervised:
    name: str
    part: Part
    started_at: float
    backoff_s: float = BACKOFF_FIRST_S
    due_at: float | None = field(default=None)


class Supervisor:
    """Synchronous and for the main thread: call `poll` some times a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._parts: list[_Supervised] = []

    def start(self, name: str, part: Part) -> None:
        """Start a part now and keep it running from here on; names are unique."""
        if name in self.pids():
            raise ValueError(f"there is already a part named {name}")
        part.start()
        self._parts.append(_Supervised(name, part, self._clock()))

    def pids(self) -> dict[str, int | None]:
        return {supervised.name: supervised.part.pid for supervised in self._parts}

    def poll(self) -> list[Note]:
        """Restart what died, each after its own growing pause; never waits for a pause to end."""
        notes: list[Note] = []
        for supervised in self._parts:
            note = self._look_at(supervised)
            if note is not None:
                level = logging.INFO if note.what == "restarted" else logging.WARNING
                logger.log(level, "%s %s: %s", note.name, note.what, note.detail)
                notes.append(note)
        return notes

    def stop_all(self, grace_s: float) -> None:
        """In reverse order of start, each with its own `grace_s` between SIGTERM and SIGKILL."""
        while self._parts:
            self._parts.pop().part.stop(grace_s)

    def _look_at(self, supervised: _Supervised) -> Note | None:
        now = self._clock()
        if supervised.due_at is None:
            code = supervised.part.poll()
            if code is None:
                return None
            if now - supervised.started_at >= HEALTHY_AFTER_S:
                supervised.backoff_s = BACKOFF_FIRST_S
            return self._put_off(supervised, "died", _exit_text(code))
        if now < supervised.due_at:
            return None
        try:
            supervised.part.start()
        except (CannotStart, OSError, subprocess.SubprocessError) as error:
            return self._put_off(supervised, "restart-failed", str(error))
        supervised.due_at = None
        supervised.started_at = self._clock()
        return Note(supervised.name, "restarted", f"pid {supervised.part.pid}")

    def _put_off(
        self, supervised: _Supervised, what: Literal["died", "restart-failed"], why: str
    ) -> Note:
        pause = supervised.backoff_s
        supervised.due_at = self._clock() + pause
        supervised.backoff_s = min(pause * 2, BACKOFF_MAX_S)
        return Note(supervised.name, what, f"{why}; next start in {pause:g} s")


def _exit_text(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
