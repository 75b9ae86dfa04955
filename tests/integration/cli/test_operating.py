"""What an operator does: the doctor, readers, and going on behind an event."""

import asyncio
import base64
import json
import os
import subprocess
import time
import urllib.request

import pytest

from cli.expected import known_readers
from cli.skipping import instance_key
from cli.store import Stores
from libs.common.database import Database
from libs.common.decider import Decider
from libs.common.eventstore import EventStore, stream_of
from libs.common.fields import Word
from libs.common.messages import Event, Meta

WITHIN_S = 40


class NotWhatItSays(Event):
    """An event whose data its own projection can't read."""

    name: Word


def wait_until(look, what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not look():
        assert time.monotonic() < deadline, f"not within {WITHIN_S} s: {what}"
        time.sleep(0.1)


def readers(installation) -> dict[str, dict]:
    said = installation.run("readers", "--data", str(installation.data), "--json")
    return {reader["reader"]: reader for reader in json.loads(said.stdout)}


def test_the_doctor_finds_nothing_wrong_and_looks_at_ten_things(installation):
    result = installation.run("doctor", "--data", str(installation.data), "--json")

    findings = json.loads(result.stdout)
    assert result.returncode == 0, findings
    assert len(findings) >= 10
    assert [f for f in findings if f["how"] == "wrong"] == []


def test_every_consumer_on_the_bus_is_that_of_a_declared_reader_and_nobody_was_refused(
    installation,
):
    named = known_readers(installation.data)
    declared = {("WORK", "executor")} | {
        (producer.upper(), f"{service}-{name.replace('_', '-')}")
        for service, pairs in named.items()
        for name, producer in pairs
        if producer != service
    }

    wait_until(lambda: consumers(installation) == declared, "each reader has its consumer")

    said = (installation.data / "logs" / "nats.log").read_text().splitlines()
    assert [line for line in said if " Violation" in line] == []


def consumers(installation) -> set[tuple[str, str]]:
    port = installation.state.nats.monitor_port
    url = f"http://127.0.0.1:{port}/jsz?accounts=true&consumers=true"
    with urllib.request.urlopen(url, timeout=10) as answer:
        (account,) = json.load(answer)["account_details"]
    return {
        (stream["name"], consumer["name"])
        for stream in account["stream_detail"]
        for consumer in stream.get("consumer_detail") or []
    }


def test_the_doctor_names_the_repair_of_secrets_that_others_can_read(installation):
    file = installation.data / "secrets.json"
    os.chmod(file, 0o644)
    try:
        result = installation.run("doctor", "--data", str(installation.data))
    finally:
        os.chmod(file, 0o600)

    assert result.returncode == 1
    assert f"chmod 600 {file}" in result.stdout


def test_every_reader_shows_its_position_and_its_lag(installation):
    wait_until(lambda: all(r["lag"] == 0 for r in readers(installation).values()), "no lag")

    found = readers(installation)

    assert found["audit.trail_identity"]["producer"] == "identity"
    assert found["audit.trail_identity"]["position"] == found["identity.relay"]["head"]


def rules(installation) -> dict[str, dict]:
    said = installation.run("retention", "--data", str(installation.data), "--json")
    return {rule["rule"]: rule for rule in json.loads(said.stdout)}


def test_every_rule_of_retention_shows_what_it_did_and_how_late_it_is(installation):
    there = {"audit.exports", "billing.usage", "executor.files", "identity.tokens"}
    wait_until(lambda: there <= set(rules(installation)), "the first turn of each service")
    wait_until(lambda: not any(r["error"] for r in rules(installation).values()), "no failure")

    found = rules(installation)

    assert [rule for rule in found.values() if rule["how"] != "ok"] == []
    assert all(rule["lag_s"] == 0 and rule["since_s"] < 3600 for rule in found.values())


@pytest.fixture
def stopped(installation):
    """The number of an event at which the catalogue of workflows stopped."""
    asyncio.run(append_what_cant_be_read(installation))
    wait_until(
        lambda: readers(installation)["workflows.catalogue"]["stopped_at"] is not None,
        "the reader stops",
    )
    return readers(installation)["workflows.catalogue"]["stopped_at"]


async def append_what_cant_be_read(installation) -> None:
    settings = Stores(installation.data).settings_of("workflows")
    address = f"postgresql://{settings['host']}:{settings['port']}"
    database = Database(address, "workflows", settings["password"], "")
    bad = NotWhatItSays(name="x")
    decider = Decider(None, lambda c, s: [bad], lambda s, e: s)
    NotWhatItSays.type = "workflows.event.variable-set"
    await database.open()
    try:
        stream = stream_of("variable", "org_none", "x")
        meta = Meta.system("test", "org_none")
        await EventStore(database).execute(decider, stream, None, meta)
    finally:
        await database.close()


def test_a_stopped_reader_goes_on_behind_an_event_once_that_is_recorded(installation, stopped):
    data = str(installation.data)
    shown = installation.run("readers", "--data", data)
    assert shown.returncode == 1
    assert "ValidationError" in shown.stdout
    assert f"troth readers skip workflows.catalogue --reason '…' --data {data}" in shown.stderr
    assert installation.run("doctor", "--data", data).returncode == 1

    skipped = installation.run(
        "readers", "skip", "workflows.catalogue", "--reason", "made by hand", "--data", data
    )

    assert skipped.returncode == 0, skipped.stderr
    assert f"event {stopped} is skipped" in skipped.stdout
    assert "it goes on" in skipped.stdout
    wait_until(lambda: readers(installation)["workflows.catalogue"]["lag"] == 0, "caught up")
    assert reason_of_the_last_skip(installation) == "made by hand"


def reason_of_the_last_skip(installation) -> str:
    stores = Stores(installation.data)
    with stores.read("workflows") as connection:
        row = connection.execute(
            "select stream, data->>'reason' from log where type = %s order by n desc limit 1",
            ("workflows.event.event-skipped",),
        ).fetchone()
    assert row is not None
    kek = base64.b64decode(stores.secrets().key_encryption_key)
    assert "made by hand" not in row[1]
    return instance_key(kek).open(row[1], row[0])


def test_a_reader_that_is_not_stopped_skips_nothing(installation):
    result = installation.run(
        "readers", "--data", str(installation.data), "skip", "audit.trail_identity",
        "--reason", "why not",
    )  # fmt: skip

    assert result.returncode == 1
    assert "is not stopped" in result.stderr


def test_following_events_shows_what_happens_from_then_on(installation):
    process = subprocess.Popen(
        installation.command("events", "--follow", "--json", "--type", "workflows.event.*"),
        env=installation.environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        name = f"followed-{os.getpid()}"
        assert installation.run("init", f"{name}.yaml").returncode == 0
        assert installation.run("apply", f"{name}.yaml").returncode == 0
        seen = []
        for line in process.stdout:
            seen.append(json.loads(line))
            if seen[-1]["type"] == "workflows.event.workflow-published" and len(seen) > 1:
                break
    finally:
        process.kill()
        process.wait()
        process.stdout.close()

    assert len({event["id"] for event in seen}) == len(seen)


def test_commands_beside_a_folder_where_nothing_runs_say_so(installation, tmp_path):
    result = installation.run("readers", "--data", str(tmp_path / "none"))

    assert result.returncode == 1
    assert "was never started" in result.stderr
