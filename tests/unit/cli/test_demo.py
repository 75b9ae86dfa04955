"""Parts of the demo that need no servers: its input, its receiver, and what makes it fail."""

import json
import os
import signal
import subprocess
import sys
from email.message import Message
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from standardwebhooks import Webhook

from cli.demo import dependencies, proof
from cli.demo.calling import Call
from cli.demo.failed import DemoFailed
from cli.demo.holders import Log
from cli.demo.killing import exists, is_running_child
from cli.demo.notes import Notes
from cli.demo.preparing import DOCUMENT, WAIT
from cli.demo.receiver import EVENTS, PACKAGES, Receiver
from cli.demo.running import Run
from libs.embedded.folder import free_port
from libs.language.source import read_document

SECRET = "whsec_c2VjcmV0IG9mIHRoZSBkZW1v"


@pytest.fixture
def receiver():
    with Receiver(free_port()) as found:
        yield found


@pytest.fixture
def scene(receiver):
    """As much of a scene as the checks of the receiver need; nothing is waited for."""

    def until(look, missing, within_s=0.0):
        found = look()
        if found is None:
            raise DemoFailed(missing)
        return found

    said: list[str] = []
    return SimpleNamespace(
        receiver=receiver, until=until, hint="look there", delivery_secret=SECRET, said=said,
        teller=SimpleNamespace(say=lambda line, colour=None: said.append(line)),
    )  # fmt: skip


def run_of(flagged: int) -> Run:
    return cast("Run", SimpleNamespace(execution="exe_1", flagged=flagged))


def distribution(**about: str) -> Any:
    metadata = Message()
    for name, value in about.items():
        metadata[name.replace("_", "-")] = value
    return SimpleNamespace(metadata=metadata)


# -- the input ---------------------------------------------------------------------------------


def test_the_packages_found_fit_the_schema_of_the_workflow():
    schema = read_document(DOCUMENT.read_bytes(), "yaml").value["input"]
    limits = schema["properties"]["packages"]["items"]["properties"]

    found = dependencies.find()

    assert 0 < len(found) <= schema["properties"]["packages"]["maxItems"]
    assert len({package["name"] for package in found}) == len(found)
    for package in found:
        assert package.keys() == limits.keys()
        assert all(len(value) <= limits[name]["maxLength"] for name, value in package.items())


@pytest.mark.parametrize(
    ("about", "licence"),
    [
        ({"License_Expression": "MIT", "License": "old words"}, "MIT"),
        ({"Classifier": "License :: OSI Approved :: BSD License", "License": "x"}, "BSD License"),
        ({"License": "Apache 2.0\n\nand the whole text"}, "Apache 2.0"),
        ({}, "not declared"),
    ],
)
def test_a_licence_is_taken_from_the_best_place_there_is(about, licence):
    assert dependencies.licence_of(distribution(**about)) == licence


def test_the_document_waits_once_where_pause_makes_it_longer():
    assert DOCUMENT.read_bytes().count(WAIT) == 1


# -- the call ------------------------------------------------------------------------------------


def test_a_call_is_signed_as_the_standard_says_and_repeats_its_id(receiver):
    call = Call(f"{receiver.url}/hook", SECRET, {"packages": []})
    again = call.again()
    for one in (call, again):
        one.run()
        assert one.ended

    first, second = receiver.came
    assert Webhook(SECRET).verify(first.body, first.headers) == {"packages": []}
    assert (second.headers["webhook-id"], second.body) == (call.id, first.body)


def test_a_caller_that_loses_its_connection_says_so():
    call = Call(f"http://127.0.0.1:{free_port()}/hook", SECRET, {})
    call.run()

    with pytest.raises(DemoFailed, match="lost its answer"):
        assert call.ended


# -- what makes it fail ----------------------------------------------------------------------------


def post_package(receiver: Receiver, key: str) -> None:
    httpx.post(f"{receiver.url}{PACKAGES}", json={}, headers={"idempotency-key": key})


def test_a_package_that_came_twice_is_a_failure(receiver, scene):
    for key in ("exe_1:a", "exe_1:b", "exe_1:b", "exe_other:b"):
        post_package(receiver, key)

    with pytest.raises(DemoFailed, match="got 2 of 2 packages, 1 of them again"):
        proof._receiver(scene, run_of(2))


def test_a_package_that_never_came_is_a_failure(receiver, scene):
    post_package(receiver, "exe_1:a")

    with pytest.raises(DemoFailed, match="got 1 of 2 packages"):
        proof._receiver(scene, run_of(2))


def deliver(receiver: Receiver, secret: str, outcome: str = "succeeded") -> None:
    event = {"subject": "exe_1", "type": "t", "data": {"outcome": outcome}}
    Call(f"{receiver.url}{EVENTS}", secret, event).run()


def test_one_delivery_with_a_good_signature_is_what_counts(receiver, scene):
    deliver(receiver, SECRET)

    assert proof._delivery(scene, run_of(0)) == 1
    assert "verified by `standardwebhooks`" in scene.said[-1]


@pytest.mark.parametrize(
    ("secret", "outcome", "why"),
    [
        ("whsec_bm90IHRoZSBvbmU=", "succeeded", "signature does not fit"),
        (SECRET, "failed", "not one delivery of a success"),
    ],
)
def test_another_delivery_is_a_failure(receiver, scene, secret, outcome, why):
    deliver(receiver, secret, outcome)

    with pytest.raises(DemoFailed, match=why):
        proof._delivery(scene, run_of(0))


def test_no_delivery_is_a_failure(scene):
    with pytest.raises(DemoFailed, match="was not delivered"):
        proof._delivery(scene, run_of(0))


# -- processes and logs --------------------------------------------------------------------------


def test_a_killed_child_is_seen_as_ended_before_it_is_reaped_and_gone_after():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert is_running_child(child.pid)

    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert not is_running_child(child.pid)
    assert exists(child.pid)
    child.wait()
    assert not is_running_child(child.pid)
    assert not exists(child.pid)


def test_who_went_on_is_read_from_what_the_log_says_from_now_on(tmp_path):
    file = tmp_path / "executor-2.log"
    line = {"at": "2025-01-31 13:45:00,250", "message": "execution resumed", "pid": 7}
    file.write_text(json.dumps(line | {"execution": "exe_1", "pid": 6}) + "\n")
    log = Log("executor-2", file)
    with file.open("a") as more:
        more.write(json.dumps(line | {"execution": "exe_2"}) + "\n")
    assert log.resumed("exe_1") is None

    with file.open("a") as more:
        more.write(json.dumps(line | {"execution": "exe_1"}) + "\n")

    resumed = log.resumed("exe_1")
    assert resumed is not None
    assert (resumed.process, resumed.pid, resumed.at.microsecond) == ("executor-2", 7, 250_000)


def test_notes_are_the_same_in_the_next_run(tmp_path):
    first = Notes.of(tmp_path).kept()

    assert Notes.of(tmp_path) == first
    assert first.password not in repr(first)
