"""A whole installation by `troth up` in a folder of a test, with its databases beside it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from cli import run_state
from cli.environment import Servers, Wanted, for_process
from libs.embedded.folder import DataFolder, free_port
from libs.embedded.postgres import Postgres

ROOT = Path(__file__).parents[2]
OWNERS = ("identity", "workflows", "executor", "billing", "audit", "subscriptions")
START_WITHIN_S, STOP_WITHIN_S = 100, 40
# What callers cause by being refused, processes by starting, the hour by its end: no change.
ASIDE = (
    r"event\.(access-refused|api-usage-recorded|sign-in-refused|key-created|service-.*"
    r"|execution-opened|call-opened|file-opened|result-opened|errors-searched|trail-read"
    r"|checkpoint-signed|digest-signed|siem-delivered|siem-checked)$"
)


@dataclass
class Stack:
    """Started as a user does it; `allow` are host:port pairs that workflows may call."""

    data: Path
    allow: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    executors: int = 1
    process: "subprocess.Popen[bytes] | None" = None
    setup_token: str | None = None
    _asking: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def out(self) -> Path:
        """What `troth up` itself said."""
        return self.data.with_suffix(".out")

    @property
    def traces(self) -> Path:
        return self.data.with_suffix(".traces")

    def start(self) -> None:
        words = ["up", "--data", str(self.data), "--port", "0"]
        words += ["--executors", str(self.executors)]
        words += [word for pair in self.allow for word in ("--allow", pair)]
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TROTH_")}
        own = {
            "PYTHONPATH": str(ROOT), "TROTH_TRACES_FILE": str(self.traces),
            "TROTH_AUDIT_CHECKPOINT_S": "2",
        } | self.settings  # fmt: skip
        said = self.out.stat().st_size if self.out.exists() else 0
        with self.out.open("a") as out:
            process = self.process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", *words], env=kept | own, stdout=out,
                stderr=subprocess.STDOUT, cwd=self.data.parent,
            )  # fmt: skip
        deadline = time.monotonic() + START_WITHIN_S
        while "Troth runs at" not in (text := self.out.read_text()[said:]):
            assert process.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.05)
        links = [line for line in text.splitlines() if "/setup?token=" in line]
        self.setup_token = links[0].rpartition("token=")[2] if links else None

    def stop(self) -> None:
        while self._asking:
            self._asking.popitem()[1].close()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(STOP_WITHIN_S) == 0, self.out.read_text()
            assert self.refused_by_the_bus() == [], "cli/permissions.py lets a service do its work"

    def refused_by_the_bus(self) -> list[str]:
        """What the server let no service say or hear: a user's permissions are too few."""
        lines = (DataFolder(self.data).logs / "nats.log").read_text().splitlines()
        return [line for line in lines if " Violation" in line]

    @property
    def state(self) -> run_state.RunState:
        found = run_state.read(self.data)
        assert found is not None, "the installation runs"
        return found

    @property
    def address(self) -> str:
        return self.state.address

    # -- beside it ----------------------------------------------------------------------------

    def password(self, service: str, role: str) -> str:
        return DataFolder(self.data).read_secrets().databases[service][role]

    @property
    def operator_token(self) -> str:
        """What the one-time link had, also when it is used up."""
        return DataFolder(self.data).read_secrets().operator_token

    def environment(self, service: str) -> dict[str, str]:
        """What a process of that service is started with: to build one beside the others."""
        state, folder = self.state, DataFolder(self.data)
        servers = Servers(
            f"nats://127.0.0.1:{state.nats.port}", f"postgresql://127.0.0.1:{state.postgres.port}"
        )
        return for_process(
            [service], folder.read_secrets(), servers, Wanted(self.data), http_port=0, ops_port=0
        )

    def connect(self, service: str, role: str = "system", database: str | None = None) -> Any:
        """A connection of a service's own role to its own database, or to another one."""
        return psycopg.connect(
            host="127.0.0.1", port=self.state.postgres.port, connect_timeout=5, autocommit=True,
            dbname=f"troth_{database or service}", user=f"{service}_{role}",
            password=self.password(service, role),
        )  # fmt: skip

    def rows(self, service: str, text: str, *values: Any) -> list[tuple[Any, ...]]:
        """Over a connection that is kept: opening one costs both sides far more than a question."""
        if service not in self._asking or self._asking[service].closed:
            self._asking[service] = self.connect(service)
        return self._asking[service].execute(text, values).fetchall()

    def happened(self) -> dict[str, int]:
        """How many events of each type were committed because somebody asked for something; without
        those that refusals and starts cause, and what services do by themselves."""
        count = "select type, count(*) from log where type !~ %s and actor !~ %s group by type"
        own = f"^system:({'|'.join(OWNERS)})$"
        return dict(pair for service in OWNERS for pair in self.rows(service, count, ASIDE, own))

    def settled(self, within_s: float = 40) -> None:
        """Waits until every reader has taken what there is."""
        until(lambda: not self.behind(), within_s, self.behind)

    def quiet(self, within_s: float = 40) -> None:
        """Waits until no delivery is under way and no execution runs."""
        waits = "select count(*) from deliveries where ended_at is null"
        until(lambda: self.rows("subscriptions", waits)[0][0] == 0, within_s)
        runs = "select count(*) from timers where owner is not null"
        until(lambda: self.rows("executor", runs)[0][0] == 0, within_s)

    def now(self) -> str:
        """The moment by the database's clock, as the API takes it."""
        text = "select to_char(now() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
        return self.rows("identity", text)[0][0]

    def behind(self) -> list[tuple[str, str, int, int]]:
        """Readers with their position, below the head of what they read."""
        known = json.loads((self.data / "expected.json").read_text())["readers"]
        heads = {s: self.rows(s, "select max(n) from heads")[0][0] for s in OWNERS}
        found = []
        for service, pairs in known.items():
            at = dict(self.rows(service, "select name, n from readers"))
            for name, producer in pairs:
                if at.get(name, 0) < heads[producer]:
                    found.append((service, name, at.get(name, 0), heads[producer]))
        return found

    @contextmanager
    def only_postgres(self) -> Iterator[Callable[[str], Any]]:
        """While the installation is stopped: its PostgreSQL alone, as its superuser."""
        with DataFolder(self.data) as folder:
            secrets = folder.read_secrets()
            server = Postgres(folder.postgres, free_port(), secrets.postgres)
            server.start()
            try:
                yield lambda service: psycopg.connect(
                    server.dsn(f"troth_{service}"), autocommit=True
                )
            finally:
                server.stop(20)


def until(
    good: Callable[[], Any], within_s: float = 40, said: Callable[[], Any] = lambda: "not yet"
) -> Any:
    """What `good` says as soon as that is true; a failure with `said` when it never is.

    What takes long is looked at more rarely, for the looking takes time from what is waited for.
    """
    begun = time.monotonic()
    while not (found := good()):
        waited = time.monotonic() - begun
        assert waited < within_s, said()
        time.sleep(min(0.03 + waited / 20, 0.2))
    return found
