"""An installation on this machine: its servers and processes, started in order and kept running."""

import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from cli import run_state
from cli.environment import Servers, Wanted, for_migration, for_process
from cli.expected import bring_up_to_date, fingerprint
from cli.external import ask_once, check_nats
from cli.permissions import SERVICES, ReaderOf, users
from cli.run_state import ProcessState, RunState, ServerState
from libs.common import clock
from libs.embedded.children import CannotStart, log_tail
from libs.embedded.folder import DataFolder, is_free
from libs.embedded.nats import Nats
from libs.embedded.postgres import Postgres
from libs.embedded.secrets import Secrets
from libs.embedded.supervise import Note, Process, Supervisor

TOGETHER = ("identity", "workflows", "billing", "audit", "subscriptions")
READY_TIMEOUT_S = 90.0
SERVER_GRACE_S = 15.0


@dataclass(frozen=True)
class Plan:
    """One process: its name and what it serves."""

    name: str
    services: tuple[str, ...]


def fingerprint_of(secrets: Secrets) -> str:
    """Of the code and of the passwords that the databases have."""
    return fingerprint(json.dumps(secrets.databases, sort_keys=True))


def plans(executors: int) -> list[Plan]:
    """The door comes last: it opens when everything behind it runs, and closes first."""
    numbered = [Plan(f"executor-{n + 1}", ("executor",)) for n in range(executors)]
    return [Plan("services", TOGETHER), *numbered, Plan("gateway", ("gateway",))]


class Installation:
    """Used with the data folder locked, from the main thread; `say` gets a line per part."""

    def __init__(
        self, folder: DataFolder, wanted: Wanted, say: Callable[[str], None],
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self.folder, self.say, self.stopping = folder, say, stopping
        self.wanted = replace(wanted, data=folder.path)
        self.supervisor = Supervisor()
        self.secrets = folder.secrets(SERVICES, SERVICES)
        self.plans = plans(wanted.executors)
        if wanted.port and not is_free(wanted.port):
            raise CannotStart(
                f"port {wanted.port} of 127.0.0.1 is taken: choose another one with --port"
            )
        self.ports = folder.ports(
            {"http": wanted.port or None, "nats": None, "nats-monitor": None, "postgres": None}
            | {f"ops-{plan.name}": None for plan in self.plans}
        )
        self.state: RunState | None = None
        self.nats_url = ""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports['http']}"

    # -- starting ---------------------------------------------------------------------------

    def start(self) -> None:
        """Returns when every part says that it is ready. Raises CannotStart with the repair."""
        admin_url, postgres, fresh = self._postgres()
        digest = fingerprint_of(self.secrets)
        begun = time.monotonic()
        expected = bring_up_to_date(
            self.folder.path, for_migration(SERVICES, self.secrets, admin_url), digest, again=fresh
        )
        if expected.migrated:
            self.say(f"databases  prepared in {_since(begun)}")
        nats_url, nats = self._nats(expected.readers)
        self.state = RunState(
            os.getpid(), self.address, datetime.now(UTC).isoformat(timespec="milliseconds"),
            nats, postgres, clock_offset_s=clock.offset_s,
        )  # fmt: skip
        if clock.offset_s:
            self.say(f"{clock.VARIABLE} moves the clock ahead by {clock.offset_s:.0f} s")
        self.nats_url, servers = nats_url, Servers(nats_url, admin_url)
        for plan in self.plans:
            self.supervisor.start(plan.name, self._process(plan, servers))
        self._write()
        self._wait_until_ready()

    def _postgres(self) -> tuple[str, ServerState, bool]:
        given = os.environ.get("TROTH_DATABASE_URL")
        if given:
            parts = urlsplit(given)
            host, port = parts.hostname or "127.0.0.1", parts.port or 5432
            self.say(f"PostgreSQL at {host}:{port} (TROTH_DATABASE_URL)")
            return given, ServerState("external", port, host=host), True
        begun = time.monotonic()
        fresh = not (self.folder.postgres / "PG_VERSION").exists()
        server = Postgres(
            self.folder.postgres, self.ports["postgres"], self.secrets.postgres,
            log=self.folder.logs / "postgres.log",
        )  # fmt: skip
        self.supervisor.start("postgres", server)
        assert server.programs is not None, "a started server has programs"
        version = str(server.programs.major)
        made = "made and started" if fresh else "started"
        self.say(f"PostgreSQL {version}  {made} in {_since(begun)}  port {server.port}")
        return server.dsn(), ServerState(version, server.port, server.pid), fresh

    def _nats(self, readers: Mapping[str, list[ReaderOf]]) -> tuple[str, ServerState]:
        given = os.environ.get("TROTH_NATS_URL")
        if given:
            version = check_nats(given, "gateway", self.secrets.nats["gateway"])
            parts = urlsplit(given)
            host, port = parts.hostname or "127.0.0.1", parts.port or 4222
            self.say(f"NATS {version}  at {host}:{port} (TROTH_NATS_URL)")
            return f"nats://{host}:{port}", ServerState(version, port, host=host)
        begun = time.monotonic()
        server = Nats(
            self.folder.nats, self.ports["nats"], self.ports["nats-monitor"],
            users(readers, self.secrets.nats), log=self.folder.logs / "nats.log",
        )  # fmt: skip
        self.supervisor.start("nats", server)
        assert server.program is not None, "a started server has a program"
        version = ".".join(map(str, server.program.version))
        self.say(f"NATS {version}  started in {_since(begun)}  port {server.port}")
        state = ServerState(version, server.port, server.pid, server.monitor_port)
        return f"nats://127.0.0.1:{server.port}", state

    def _process(self, plan: Plan, servers: Servers) -> Process:
        return Process(
            [sys.executable, "-m", "cli.main", "serve", *plan.services],
            log=self.log_of(plan.name),
            env=for_process(
                plan.services, self.secrets, servers, self.wanted,
                http_port=self.ports["http"], ops_port=self.ports[f"ops-{plan.name}"],
            ),
        )  # fmt: skip

    def log_of(self, name: str) -> Path:
        return self.folder.logs / f"{name}.log"

    def _wait_until_ready(self) -> None:
        begun = time.monotonic()
        waiting = {plan.name for plan in self.plans}
        said: dict[str, str] = {}
        while waiting and not self.stopping():
            for note in self.supervisor.poll():
                tail = log_tail(self.log_of(note.name), 0)
                raise CannotStart(f"{note.name} {note.what}: {note.detail}. It said:\n{tail}")
            for name in sorted(waiting):
                ready, said[name] = ask_ready(self.ports[f"ops-{name}"])
                if ready:
                    waiting.discard(name)
                    pid = self.supervisor.pids()[name]
                    self.say(f"{name}  ready in {_since(begun)}  pid {pid}")
            if waiting and time.monotonic() - begun > READY_TIMEOUT_S:
                who = "; ".join(f"{name}: {said[name]}" for name in sorted(waiting))
                raise CannotStart(f"not ready after {READY_TIMEOUT_S:g} s: {who}")
            time.sleep(0.02)

    def setup_link(self) -> str | None:
        """The one-time link for the operator, None once there is one."""
        password = self.secrets.nats["gateway"]
        found = ask_once(self.nats_url, "gateway", password, "identity.query.find-instance")
        if found is None or found.get("set_up") is not False:
            return None
        return f"{self.address}/setup?token={self.secrets.operator_token}"

    # -- running ----------------------------------------------------------------------------

    def poll(self) -> list[Note]:
        """Restarts what died; call it some times a second."""
        notes = self.supervisor.poll()
        if any(note.what == "restarted" for note in notes):
            self._write()
        return notes

    def stop(self, grace_s: float) -> None:
        """The door first, the servers last; returns when nothing is left."""
        self.supervisor.stop_all(grace_s)
        run_state.forget(self.folder.path)

    def _write(self) -> None:
        assert self.state is not None, "written once the servers run"
        pids = self.supervisor.pids()
        self.state = replace(
            self.state,
            nats=replace(self.state.nats, pid=pids.get("nats")),
            postgres=replace(self.state.postgres, pid=pids.get("postgres")),
            processes={
                plan.name: ProcessState(
                    pids.get(plan.name), list(plan.services), self.ports[f"ops-{plan.name}"]
                )
                for plan in self.plans
            },
        )
        self.state.write(self.folder.path)


def ask_ready(ops_port: int) -> tuple[bool, str]:
    """What a process says about itself, and whether that is good."""
    try:
        status, body = ops_get(ops_port, "/readyz")
    except (OSError, http.client.HTTPException):
        return False, "does not answer yet"
    if status == 200:
        return True, "ready"
    parts = json.loads(body).get("parts", {})
    return False, ", ".join(f"{part} {how}" for part, how in parts.items() if how != "ok")


def ops_get(ops_port: int, path: str, timeout_s: float = 3.0) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", ops_port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _since(begun: float) -> str:
    return f"{time.monotonic() - begun:.1f} s"
