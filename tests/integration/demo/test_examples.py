"""The other examples run as they stand in the repository, on a running installation."""

import asyncio
import json
import os
import re
import signal
import socket
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from cli.demo.holders import Log
from cli.store import Stores
from tests.fakes.receiver import Answer, Receiver, Seen

from .conftest import ROOT, Start

EXAMPLES = ROOT / "examples"
EMAIL, PASSWORD = "ada@example.com", "correct horse battery staple"
EXECUTORS = ("executor-1", "executor-2")
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

    def output(self, execution: str) -> dict:
        """What came out, as soon as it succeeded."""
        path, deadline = f"/v1/executions/{execution}", time.monotonic() + WITHIN_S
        while True:
            shown = self.api.get(path).json()
            if shown.get("status") in ("succeeded", "failed", "cancelled"):
                break
            assert time.monotonic() < deadline, shown
            time.sleep(0.1)
        found = self.api.get(f"{path}/data").json()
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


@pytest.fixture(scope="module")
def installation(start, tmp_path_factory) -> Installation:
    """All examples are published on it by `troth apply`."""
    found = Installation(start, tmp_path_factory.mktemp("examples") / "data", free_port())
    secret = found.api.put("/v1/secrets/dependency_review", json={"value": "whsec_c2VjcmV0"})
    assert secret.status_code == 200, secret.text
    for name in ("receiver", "source"):
        found.variable(name, f"http://127.0.0.1:{found.receiver_port}/{name}")
    files = sorted(str(file) for file in EXAMPLES.glob("*.yaml"))
    said = found.troth("apply", *files)
    assert said.count("published") == len(files), said
    return found


@pytest_asyncio.fixture
async def receiver(installation):
    async with Receiver(port=installation.receiver_port) as found:
        yield found


def test_hello_greets_whoever_calls_it(installation):
    url = f"{installation.url}/hooks/{installation.organization}/hello"

    answer = httpx.post(url, json={"name": " Ada "}, timeout=30)

    assert (answer.status_code, answer.json()) == (200, {"text": "Hello Ada! Nice to meet you."})


@pytest.mark.parametrize(
    ("given", "pointer"), [({}, "/name"), ({"name": "Ada", "age": 36}, ""), ({"name": ""}, "/name")]
)
def test_hello_refuses_what_its_input_does_not_allow(installation, given, pointer):
    url = f"{installation.url}/hooks/{installation.organization}/hello"

    answer = httpx.post(url, json=given, timeout=30)

    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_fan_out_gets_through_to_a_receiver_that_fails_now_and_then(installation, receiver):
    failures = Counter[str]()

    def flaky(seen: Seen) -> Answer:
        key = seen.headers["idempotency-key"]
        failures[key] += 1
        if seen.json["nr"] % 3 == 0 and failures[key] < 3:
            return Answer(500 if failures[key] == 1 else 429)
        return Answer()

    receiver.reply = flaky
    execution = await asyncio.to_thread(installation.run, "fan-out", {"items": 9})
    output = await asyncio.to_thread(installation.output, execution)

    assert output == {"asked": 9, "good": 9, "errors": []}
    assert Counter(receiver.per_key().values()) == {1: 6, 3: 3}


def test_the_nightly_report_is_started_by_hand(installation, tmp_path):
    orders = [("north", 700.5), ("south", 400), ("north", 99.5)]
    file = tmp_path / "orders.json"
    file.write_text(json.dumps({
        "day": "2025-06-30",
        "orders": [{"region": region, "amount": amount} for region, amount in orders],
    }))  # fmt: skip

    said = installation.troth("run", "nightly-report", "--input", f"@{file}", "--json")

    output = json.loads(said)["output"]
    assert output == {
        "title": "Report of 2025-06-30",
        "amount": 1200,
        "regions": [
            {"region": "north", "orders": 2, "amount": 800},
            {"region": "south", "orders": 1, "amount": 400},
        ],
        "judgement": "on target",
    }


async def test_an_import_goes_on_where_it_was_when_its_process_is_killed(installation, receiver):
    rows = [f"row {n}" for n in range(7)]
    reached, end = asyncio.Event(), asyncio.Event()

    async def holds_row_4(seen: Seen) -> Answer:
        if seen.method == "GET":
            return Answer(body=json.dumps(rows).encode())
        if seen.json["nr"] == 4:
            reached.set()
            await end.wait()
        return Answer()

    receiver.reply = holds_row_4
    execution = await asyncio.to_thread(installation.run, "import-two-steps", {"pause": "1s"})
    await asyncio.wait_for(reached.wait(), WITHIN_S)
    await asyncio.to_thread(installation.until_ended, execution, effects=len(rows))
    logs = [Log(name, installation.data / "logs" / f"{name}.log") for name in EXECUTORS]

    killed = installation.holder(execution)
    os.kill(killed, signal.SIGKILL)
    receiver.reply = lambda seen: Answer()
    output = await asyncio.to_thread(installation.output, execution)
    end.set()

    assert output == {"rows": 7, "handed_on": 7}
    (resumed,) = [found for log in logs if (found := log.resumed(execution)) is not None]
    assert resumed.pid != killed
    came = Counter(seen.json["nr"] for seen in receiver.seen if seen.method == "POST")
    assert came == {0: 1, 1: 1, 2: 1, 3: 1, 4: 2, 5: 1, 6: 1}
    keys = {seen.headers["idempotency-key"] for seen in receiver.seen if seen.method == "POST"}
    assert len(keys) == len(rows)
