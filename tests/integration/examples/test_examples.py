"""The other examples run as they stand in the repository, on a running installation."""

import asyncio
import json
import os
import signal
from collections import Counter
from datetime import UTC, datetime

import httpx
import pytest

from cli.demo.holders import Log
from tests.fakes.receiver import Answer, Seen

from .installed import WITHIN_S

EXECUTORS = ("executor-1", "executor-2")


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


async def test_the_nightly_report_is_of_the_day_that_it_is_asked_for(installation, receiver):
    orders = [("north", 700.5), ("south", 400), ("north", 99.5)]
    listed = json.dumps([{"region": region, "amount": amount} for region, amount in orders])
    receiver.reply = lambda seen: Answer(body=listed.encode())

    words = ("run", "nightly-report", "--input", '{"day": "2025-06-30"}', "--json")
    said = await asyncio.to_thread(installation.troth, *words)

    assert json.loads(said)["output"] == {
        "title": "Report of 2025-06-30",
        "amount": 1200,
        "regions": [
            {"region": "north", "orders": 2, "amount": 800},
            {"region": "south", "orders": 1, "amount": 400},
        ],
        "judgement": "on target",
    }
    assert [seen.path for seen in receiver.seen] == ["/source/orders?day=2025-06-30"]


def test_what_starts_by_itself_has_its_next_instant(installation):
    triggers = installation.api.get("/v1/triggers").json()["data"]

    due = {one["workflow_name"]: one for one in triggers if one["kind"] == "schedule"}
    assert {name: one["cron"] for name, one in due.items()} == {
        "hourly-digest": "0 * * * *", "nightly-report": "55 23 * * *",
    }  # fmt: skip
    for one in due.values():
        assert one["next_at"] > datetime.now(UTC).isoformat(), one


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
