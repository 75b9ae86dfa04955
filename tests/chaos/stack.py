"""A whole installation in this process, as `troth up` starts it; signed in, on a big plan."""

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from cli.environment import Wanted
from cli.installation import Installation, ask_ready
from libs.embedded.children import CannotStart
from libs.embedded.folder import DataFolder
from libs.embedded.postgres import SUPERUSER

PASSWORD = "correct horse battery 9"
EMAIL = "ada@example.com"
READY_S = 60.0
POLL_S = 0.05


@dataclass
class Stack:
    """`poll` restarts what died: nothing comes back while nobody calls it."""

    installation: Installation
    api: httpx.Client
    org: str = ""
    notes: list[str] = field(default_factory=list)
    unready: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return self.installation.address

    @property
    def pids(self) -> dict[str, int]:
        """By the name of the part: postgres, nats, services, executor-1, gateway."""
        found = self.installation.supervisor.pids()
        return {name: pid for name, pid in found.items() if pid is not None}

    def poll(self) -> None:
        for note in self.installation.poll():
            self.notes.append(f"{note.name} {note.what}: {note.detail}")

    def wait(self, look: Callable[[], bool], what: str, within_s: float = READY_S) -> float:
        """Keeps the processes running until `look` is true; how long that took."""
        begun = time.monotonic()
        if not self.wait_a_while(look, within_s):
            said = "; ".join([*self.unready, *self.notes[-5:]])
            raise TimeoutError(f"not within {within_s:g} s: {what}; {said}")
        return time.monotonic() - begun

    def wait_a_while(self, look: Callable[[], bool], within_s: float) -> bool:
        """The same; False when it did not come true."""
        deadline = time.monotonic() + within_s
        while not look():
            if time.monotonic() > deadline:
                return False
            self.poll()
            time.sleep(POLL_S)
        return True

    def ready(self) -> bool:
        """Every process says so; who does not, and why, is kept in `unready`."""
        ports = self.installation.ports
        said = {p.name: ask_ready(ports[f"ops-{p.name}"]) for p in self.installation.plans}
        self.unready = [f"{name}: {what}" for name, (ready, what) in said.items() if not ready]
        return not self.unready

    def dsn(self, service: str) -> str:
        """Its database, read as the superuser: no row security stands in the way."""
        password = self.installation.secrets.postgres
        port = self.installation.ports["postgres"]
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/troth_{service}"

    def rows(self, service: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn(service), connect_timeout=3) as connection:
            return connection.execute(sql.encode(), values).fetchall()

    def kill(self, name: str, signal_number: int) -> int:
        pid = self.pids[name]
        os.kill(pid, signal_number)
        return pid

    def take_down(self, name: str, signal_number: int = signal.SIGTERM) -> None:
        """Ends a part and returns when it is gone; it stays away until `poll`."""
        pid = self.kill(name, signal_number)
        deadline = time.monotonic() + READY_S
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} does not end")
            time.sleep(POLL_S)

    def events_of(self, execution: str) -> list[str]:
        """What happened in an execution, in order; empty when nobody started it."""
        sql = "select type from log where stream = %s order by version"
        found = self.rows("executor", sql, f"execution-{self.org}-{execution}")
        return [row[0].rpartition(".")[2] for row in found]

    def ended_once(self, execution: str) -> bool:
        """It was started once and has ended."""
        events = self.events_of(execution)
        return events[-1:] == ["execution-finished"] and events.count("execution-started") == 1

    # -- over HTTP ---------------------------------------------------------------------------

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.api.request(method, path, **more)

    def done(self, method: str, path: str, **more: Any) -> Any:
        """Asks, and fails with the answer when it is a refusal."""
        return _good(self.ask(method, path, **more))

    def surely(self, method: str, path: str, **more: Any) -> Any:
        """For what a test needs before it begins: asks again while a part does not answer."""
        key = {"Idempotency-Key": secrets.token_urlsafe(12)} if method == "POST" else {}
        more["headers"] = key | more.get("headers", {})
        answers: list[httpx.Response] = []

        def asked() -> bool:
            answers.append(self.ask(method, path, **more))
            return answers[-1].status_code != 503

        self.wait(asked, path)
        return _good(answers[-1])

    def hook(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.api.post(f"/hooks/{self.org}/{path}", json=body, headers=headers)

    def publish(self, document: str) -> str:
        made = self.surely(
            "POST", "/v1/workflows", content=document,
            headers={"content-type": "application/yaml"},
        )  # fmt: skip
        assert not made.get("problems"), made["problems"]
        draft = {"draft_version": 1}
        self.surely("POST", f"/v1/workflows/{made['id']}/publish", json=draft)
        return made["id"]

    def sign_up(self) -> None:
        token = self.installation.secrets.operator_token
        person = {"name": "Ada", "email": EMAIL, "password": PASSWORD}
        self.surely("POST", "/v1/instance/setup", json={"token": token} | person)
        session = {"email": EMAIL, "password": PASSWORD, "as": "token"}
        signed_in = self.surely("POST", "/v1/sessions", json=session)
        self.api.headers["Authorization"] = f"Bearer {signed_in['token']}"
        self.org = self.surely("GET", "/v1/me")["organizations"][0]["id"]

    def use_big_plan(self) -> None:
        """The account is opened by an event, so it is there a moment after the organization."""
        self.wait(lambda: self.ask("GET", "/v1/billing").status_code == 200, "the account", 20)
        self.surely("PUT", "/v1/billing/plan", json={"plan": "enterprise"})
        org = self.org

        def known() -> bool:
            sql = "select running_max from entitlements where org = %s"
            return self.rows("executor", sql, org) == [(500,)]

        self.wait(known, "the executor's view of the plan", 20)


def _good(answer: httpx.Response) -> Any:
    assert answer.status_code < 300, f"{answer.request.url}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


@contextmanager
def running(
    folder: Path, executors: int, allow: tuple[str, ...] = (),
    say: Callable[[str], None] = lambda line: None, environment: Mapping[str, str] | None = None,
) -> Iterator[Stack]:  # fmt: skip
    """Started and stopped; used from the main thread. `sign_up` comes next in a new folder."""
    added = {k: v for k, v in (environment or {}).items() if k not in os.environ}
    os.environ |= added
    wanted = Wanted(folder, executors, 0, "open", allow)
    try:
        with DataFolder(folder) as opened:
            installation = Installation(opened, wanted, say)
            try:
                installation.start()
                with httpx.Client(base_url=installation.address, timeout=20) as api:
                    yield Stack(installation, api)
            finally:
                installation.stop(10)
    except CannotStart as error:
        raise AssertionError(str(error)) from error
    finally:
        for name in added:
            del os.environ[name]
