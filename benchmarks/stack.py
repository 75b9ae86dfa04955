"""`troth up` as a process of its own on a data folder: started, asked how it is, stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import processes
from cli import run_state
from cli.environment import with_code
from cli.installation import ask_ready
from cli.run_state import RunState
from cli.store import Stores
from libs.embedded.children import launch, log_size, log_tail, terminate
from libs.embedded.folder import DataFolder

UP_WITHIN_S = 120.0
STOP_GRACE_S = 45.0
KEPT = ("TROTH_POSTGRES_BIN",)


class Failed(Exception):
    """The run is worth nothing; the text says why."""


class Stack:
    """The embedded stack with everything on: gateway, executors, the other services."""

    def __init__(self, data: Path, log: Path) -> None:
        self.data, self.log = data, log
        self._process: subprocess.Popen[bytes] | None = None
        self._logged = 0

    def start(self, executors: int = 1) -> float:
        """Starts it without waiting; the moment (monotonic) is the answer."""
        self._logged = log_size(self.log)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TROTH_") or k in KEPT}
        begun = time.monotonic()
        self._process = launch(
            [sys.executable, "-m", "cli.main", "up", "--data", self.data, "--port", "0",
             "--executors", str(executors)],
            log=self.log, death_signal=signal.SIGTERM, env=with_code(kept),
        )  # fmt: skip
        return begun

    def stop(self) -> None:
        if self._process is not None:
            terminate(self._process, STOP_GRACE_S)
            self._process = None

    def must_run(self) -> None:
        if self._process is None or self._process.poll() is not None:
            raise Failed(f"`troth up` ended:\n{log_tail(self.log, self._logged)}")

    def must_not_have_restarted(self, before: RunState) -> None:
        """A process that died and came back makes figures of something else."""
        after = self.state()
        for name, process in before.processes.items():
            if after.processes[name].pid != process.pid:
                raise Failed(f"{name} died during the run; see {self.data / 'logs'}")

    def state(self) -> RunState:
        """What runs; waits until `troth up` has written it down."""
        deadline = time.monotonic() + UP_WITHIN_S
        while (state := run_state.read(self.data)) is None:
            self._wait(deadline, "did not start its servers")
        return state

    def wait_until_ready(self) -> RunState:
        state = self.state()
        deadline = time.monotonic() + UP_WITHIN_S
        for name, process in state.processes.items():
            while not ask_ready(process.ops_port)[0]:
                self._wait(deadline, f"has no {name} that is ready")
        return state

    def _wait(self, deadline: float, what: str) -> None:
        self.must_run()
        if time.monotonic() > deadline:
            raise Failed(f"`troth up` {what}:\n{log_tail(self.log, self._logged)}")
        time.sleep(0.005)

    def kill(self, name: str) -> None:
        """`kill -9` of one process of ours; the launcher starts another one."""
        pid = self.state().processes[name].pid
        if pid is None:
            raise Failed(f"{name} does not run")
        os.kill(pid, signal.SIGKILL)

    # -- looking into it ----------------------------------------------------------------------

    @property
    def folder(self) -> DataFolder:
        return DataFolder(self.data)

    def connect(self, service: str) -> psycopg.Connection[Any]:
        """A connection to a service's database that cannot write."""
        return psycopg.connect(
            **Stores(self.data).settings_of(service), autocommit=True,
            options="-c default_transaction_read_only=on",
        )  # fmt: skip

    def groups(self) -> dict[str, set[int]]:
        """All processes by part."""
        state = self.state()
        roots = {name: process.pid for name, process in state.processes.items()}
        roots |= {"nats": state.nats.pid, "postgres": state.postgres.pid}
        missing = [name for name, pid in roots.items() if pid is None]
        if missing:
            raise Failed(f"{missing[0]} does not run")
        return processes.grouped(
            state.pid, {name: pid for name, pid in roots.items() if pid is not None}
        )

    def cpu_s(self) -> dict[str, float]:
        """Processor time used so far, by part."""
        return {name: processes.cpu_s(pids) for name, pids in self.groups().items()}

    def pss_mb(self) -> dict[str, float]:
        return {name: processes.pss_mb(pids) for name, pids in self.groups().items()}
