"""A whole installation by `troth up`, in a folder that is gone afterwards."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests_support.kept import Kept

from cli import run_state

ROOT = Path(__file__).parents[3]
START_WITHIN_S = 100
STOP_WITHIN_S = 40
PASSWORD = "correct horse battery staple"
EMAIL = "ada@example.com"


@dataclass
class Installation:
    """`troth up` as a user starts it: a process that prints what it does."""

    data: Path
    config: Path
    process: "subprocess.Popen[bytes] | None" = None
    said: list[str] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TROTH_")}
        own = {"PYTHONPATH": str(ROOT), "TROTH_CONFIG_DIR": str(self.config)}
        return kept | own | self.given

    def start(self) -> None:
        log = self.data.with_suffix(".out")
        with log.open("a") as out:
            process = self.process = subprocess.Popen(
                self.command("up", "--data", str(self.data), "--port", "0"),
                env=self.environment, stdout=out, stderr=subprocess.STDOUT, cwd=self.data.parent,
            )  # fmt: skip
        deadline = time.monotonic() + START_WITHIN_S
        while "Troth runs at" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        self.said = log.read_text().splitlines()
        log.write_text("")

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_WITHIN_S)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "cli.main", *words]

    def run(self, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*words), env=self.environment | more, capture_output=True, text=True,
            timeout=90, cwd=self.data.parent, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    @property
    def state(self) -> run_state.RunState:
        found = run_state.read(self.data)
        assert found is not None
        return found

    @property
    def pids(self) -> set[int]:
        state = self.state
        found = {state.pid, state.nats.pid, state.postgres.pid}
        return {p for p in found | {p.pid for p in state.processes.values()} if p is not None}

    def post(self, path: str, body: object, token: str | None = None) -> tuple[int, dict]:
        return self.ask("POST", path, body, token)

    def ask(
        self, method: str, path: str, body: object = None, token: str | None = None
    ) -> tuple[int, dict]:
        connection = http.client.HTTPConnection(
            self.state.address.removeprefix("http://"), timeout=30
        )
        headers: Mapping[str, str] = {"content-type": "application/json"}
        if token:
            headers = {**headers, "authorization": f"Bearer {token}"}
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")


@pytest.fixture
def make_installation() -> Iterator[Callable[[Path], Installation]]:
    """Makes installations in a folder of the test; what still runs at its end is ended."""
    made: list[Installation] = []

    def make(folder: Path) -> Installation:
        made.append(Installation(folder / "data", folder / "config"))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.stop()


@pytest.fixture(scope="session")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept[Installation]]:
    @contextmanager
    def made() -> Iterator[Installation]:
        folder = tmp_path_factory.mktemp("installation")
        found = Installation(folder / "data", folder / "config")
        found.start()
        try:
            (link,) = [line for line in found.said if "/setup?token=" in line]
            token = link.rpartition("token=")[2]
            body = {"token": token, "name": "Ada", "email": EMAIL, "password": PASSWORD}
            status, made = found.post("/v1/instance/setup", body)
            assert status == 201, made
            signed_in = found.run(
                "login", "--url", found.state.address, "--email", EMAIL, TROTH_PASSWORD=PASSWORD
            )
            assert signed_in.returncode == 0, signed_in.stderr
            yield found
        finally:
            if found.process is not None and found.process.poll() is None:
                found.stop()

    found = Kept(made)
    yield found
    found.end()


@pytest.fixture(scope="module")
def installation(
    _kept: Kept[Installation], request: pytest.FixtureRequest
) -> Iterator[Installation]:
    """Started, set up with an operator who is signed in."""
    yield from _kept.for_module(request.node.nodeid)
