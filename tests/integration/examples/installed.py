"""One installation on which every example is published, and what tests ask of it."""

import re
import socket
import time
from pathlib import Path
from typing import Any

import httpx
from tests_support.started import ROOT, Start

from cli.store import Stores

EXAMPLES = ROOT / "examples"
EMAIL, PASSWORD = "ada@example.com", "correct horse battery staple"
WITHIN_S = 50


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Installation:
    """What runs: its address, its data, and who is signed in."""

    def __init__(self, start: Start, data: Path, receiver_port: int) -> None:
        self.data, self.receiver_port, self._start = data, receiver_port, start
        up = start(
            "up", "--data", str(data), "--port", "0", "--executors", "2",
            "--allow", f"127.0.0.1:{receiver_port}",
        )  # fmt: skip
        token = up.until_it_says("works once").rpartition("token=")[2]
        self.url = re.findall(r"Troth runs at (\S+)", up.said)[0]
        person = {"name": "Ada", "email": EMAIL, "password": PASSWORD}
        made = httpx.post(f"{self.url}/v1/instance/setup", json={"token": token, **person})
        assert made.status_code == 201, made.text
        session = {"email": EMAIL, "password": PASSWORD, "as": "token"}
        opened = httpx.post(f"{self.url}/v1/sessions", json=session)
        self.token = opened.json()["token"]
        self.api = httpx.Client(
            base_url=self.url, headers={"authorization": f"Bearer {self.token}"}, timeout=30
        )
        self.organization = self.api.get("/v1/me").json()["organizations"][0]["id"]

    def variable(self, name: str, value: str) -> None:
        kept = self.api.put(f"/v1/variables/{name}", json={"value": value})
        assert kept.status_code == 200, kept.text

    def person(self, name: str, role: str) -> httpx.Client:
        """Somebody new in the organization, signed in."""
        email = f"{name}@example.com"
        about = {"name": name, "email": email, "password": PASSWORD, "old_enough": True}
        for path, body, by in (
            ("/v1/people", about | {"policies": {}}, httpx.Client(base_url=self.url)),
            ("/v1/members", {"email": email, "role": role}, self.api),
        ):
            made = by.post(path, json=body)
            assert made.status_code == 201, made.text
        session = {"email": email, "password": PASSWORD, "as": "token"}
        token = httpx.post(f"{self.url}/v1/sessions", json=session).json()["token"]
        headers = {"authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def said(self, event: str, data: Any) -> None:
        """An event of the organization's own."""
        answer = self.api.post("/v1/events", json={"type": event, "data": data})
        assert answer.status_code == 201, answer.text

    def troth(self, *words: str) -> str:
        """A command beside it, as somebody who is signed in; its output."""
        run = self._start(*words, TROTH_URL=self.url, TROTH_TOKEN=self.token)
        assert run.ended() == 0, run.said + run.err.read_text()
        return run.said

    def run(self, workflow: str, given: object = None) -> str:
        """Starts it by hand; the id of the execution."""
        started = self.api.post(f"/v1/workflows/{workflow}/executions", json={"input": given or {}})
        assert started.status_code == 202, started.text
        return started.json()["execution"]

    def ended(self, execution: str) -> dict[str, Any]:
        """The execution once it has ended, however."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            shown = self.api.get(f"/v1/executions/{execution}").json()
            if shown.get("status") in ("succeeded", "failed", "cancelled"):
                return shown
            assert time.monotonic() < deadline, shown
            time.sleep(0.1)

    def output(self, execution: str) -> Any:
        """What came out, as soon as it succeeded."""
        shown = self.ended(execution)
        found = self.api.get(f"/v1/executions/{execution}/data").json()
        assert shown["status"] == "succeeded", (shown, found)
        return found["output"]

    def until_ended(self, execution: str, *, effects: int) -> None:
        """Waits until that many of its effects have ended and are committed."""
        path, deadline = f"/v1/executions/{execution}/timeline", time.monotonic() + WITHIN_S
        while True:
            page = self.api.get(path, params={"limit": 200}).json()
            ended = [entry for entry in page["data"] if entry["kind"] == "effect-ended"]
            if len(ended) >= effects:
                return
            assert time.monotonic() < deadline, page
            time.sleep(0.1)

    def holder(self, execution: str) -> int:
        """The pid that holds an execution now."""
        with Stores(self.data).read("executor") as connection:
            row = connection.execute(
                "select owner from timers where execution = %s", (execution,)
            ).fetchone()
        assert row is not None
        assert row[0] is not None, "nobody holds it"
        return int(row[0].rpartition(":")[2])
