"""DATA/run.json: what `troth up` runs now, for the commands beside it."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from libs.embedded.durability import write_private

FILE = "run.json"


@dataclass(frozen=True)
class ProcessState:
    """A process of ours: who it is, what it serves, where it tells how it is."""

    pid: int | None
    services: list[str]
    ops_port: int


@dataclass(frozen=True)
class ServerState:
    """A server: its version, where it listens; `pid` is None when it is not ours."""

    version: str
    port: int
    pid: int | None = None
    monitor_port: int | None = None
    host: str = "127.0.0.1"


@dataclass(frozen=True)
class RunState:
    pid: int
    address: str
    started_at: str
    nats: ServerState
    postgres: ServerState
    processes: dict[str, ProcessState] = field(default_factory=dict)
    clock_offset_s: float = 0.0

    def write(self, data: Path) -> None:
        write_private(data / FILE, json.dumps(asdict(self), indent=1))

    @property
    def alive(self) -> bool:
        """Whether the `troth up` that wrote it still runs."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def read(data: Path) -> RunState | None:
    """The running installation, None when there is none."""
    try:
        found = json.loads((data / FILE).read_text())
    except FileNotFoundError:
        return None
    state = RunState(
        found["pid"], found["address"], found["started_at"], ServerState(**found["nats"]),
        ServerState(**found["postgres"]),
        {name: ProcessState(**process) for name, process in found["processes"].items()},
        found.get("clock_offset_s", 0.0),
    )  # fmt: skip
    return state if state.alive else None


def forget(data: Path) -> None:
    (data / FILE).unlink(missing_ok=True)
