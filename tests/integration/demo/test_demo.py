"""`troth demo`: what it shows is so, it tidies up, and it goes on from where it was."""

import importlib.metadata
import json
import os
import re
import signal
import stat

import httpx
import pytest

from .conftest import processes_of

LAST = re.compile(
    r"demo ok executions=1 killed=1 resumed_ms=\d+ committed=(\d+) published=(\d+) audited=(\d+)"
    r" repeated=0 delivered=1 verified=(\d+)"
)
LINES_MAX = 40


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("demo") / "data"


@pytest.fixture(scope="module")
def first(start, data):
    """The lines of a run in a new folder."""
    run = start("demo", "--data", str(data))
    assert run.ended() == 0, run.said + run.err.read_text()
    assert run.err.read_text() == ""
    return run.said.splitlines()


def pid_in(lines, text):
    (line,) = [line for line in lines if text in line]
    found = re.search(r"(\S+), pid (\d+)", line)
    assert found is not None, line
    return found[1], int(found[2])


def test_it_ends_with_one_line_of_figures_that_agree(first):
    figures = LAST.fullmatch(first[-1])

    assert figures is not None, first[-1]
    committed, published, audited, verified = map(int, figures.groups())
    assert committed == published == audited > 20
    assert verified > 20


def test_it_says_all_that_in_forty_plain_lines(first):
    assert len(first) <= LINES_MAX
    assert not any("\x1b" in line or "Traceback" in line or '{"at"' in line for line in first)


def test_it_shows_servers_with_versions_and_times(first):
    said = "\n".join(first)

    assert re.search(r"PostgreSQL \d+ .* in \d+\.\d s", said)
    assert re.search(r"NATS 2\.\d+\.\d+ .* in \d+\.\d s", said)
    for process in ("services", "executor-1", "executor-2", "gateway"):
        assert re.search(rf"{process}  ready in \d+\.\d s", said), process


def test_the_input_are_the_packages_installed_here(first):
    here = {
        d.metadata["Name"].lower().replace("_", "-") for d in importlib.metadata.distributions()
    }
    (answer,) = [json.loads(line) for line in first if line.strip().startswith('{"packages"')]

    assert answer["packages"] == len(here)
    assert 0 < answer["flagged"] == answer["reported"] < len(here)


def test_another_process_goes_on_than_the_one_that_was_killed(first):
    killed, killed_pid = pid_in(first, "KILLED")
    resumed, resumed_pid = pid_in(first, "RESUMED")

    assert {killed, resumed} == {"executor-1", "executor-2"}
    assert killed_pid != resumed_pid
    kinds = [line.split()[2] for line in first if re.match(r" +\d+\.\d{3} s  ", line)]
    place = kinds.index("wait-began")
    assert kinds[place : place + 3] == ["wait-began", "KILLED", "RESUMED"]
    assert kinds[-1] == "finished"


def test_the_log_of_the_killed_process_ends_without_a_farewell(first, data):
    killed, pid = pid_in(first, "KILLED")
    said = [json.loads(line) for line in (data / "logs" / f"{killed}.log").read_text().splitlines()]

    assert {line["pid"] for line in said} == {pid}
    assert not any(line["message"] == "draining" for line in said)


def test_nothing_of_it_runs_afterwards(first, data):
    assert processes_of(data) == []
    assert not (data / "run.json").exists()


def test_its_trail_verifies_in_a_file_and_a_changed_word_is_named(first, data):
    (sound,) = [line for line in first if line.startswith("  verified ")]
    (changed,) = [line for line in first if line.startswith("  changed ")]

    assert "sound: trail_" in sound
    assert re.search(r"line \d+, entry \d+, field outcome", changed), changed
    assert stat.S_IMODE((data / "trail.jsonl").stat().st_mode) == 0o600
    assert json.loads((data / "trail-seen.json").read_text())
    assert not (data / "changed-trail.jsonl").exists()


def test_what_it_keeps_is_for_its_owner_alone(first, data):
    assert stat.S_IMODE((data / "demo.json").stat().st_mode) == 0o600
    password = json.loads((data / "demo.json").read_text())["password"]
    assert password not in "\n".join(first)


def test_ctrl_c_in_the_middle_stops_everything(first, start, data):
    run = start("demo", "--data", str(data), "--pause")
    run.until_it_says("your turn")

    code = run.interrupt()

    assert code == 130
    assert "interrupted" in run.err.read_text()
    assert "demo ok" not in run.said
    assert processes_of(data) == []


def test_the_user_may_do_the_kill_and_keep_it_running_afterwards(first, start, data):
    run = start("demo", "--data", str(data), "--pause", "--keep")
    told = run.until_it_says("your turn")
    found = re.search(r"kill -9 (\d+)", told)
    assert found is not None
    os.kill(int(found[1]), signal.SIGKILL)
    where = run.until_it_says("it runs on at")
    run.until_it_says("demo ok")

    link = re.search(r"(http://127\.0\.0\.1:\d+)/sign-in\?token=(\S+)", where)
    assert link is not None
    with httpx.Client(base_url=link[1], timeout=20) as browser:
        signed_in = browser.get(link[0])
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/"), signed_in.text
        home = browser.get("/").text
        assert "Sign out" in home and "<code>exe_" in home
    again = httpx.get(link[0], timeout=20)
    assert again.status_code == 401 and "set-cookie" not in again.headers
    assert "used before" in again.text
    logs = [file for file in (data / "logs").iterdir() if file.is_file()]
    assert logs and not [file for file in logs if link[2] in file.read_text(errors="replace")]
    assert any("signed in again" in line for line in run.said.splitlines())

    assert run.interrupt() == 0
    lines = run.said.splitlines()
    assert LAST.fullmatch(lines[-1]), lines[-1]
    assert len(lines) <= LINES_MAX
    assert processes_of(data) == []


def test_a_folder_that_somebody_else_set_up_is_said_in_plain_words(start, first, data):
    notes = json.loads((data / "demo.json").read_text())
    file = data / "demo.json"
    file.write_text(json.dumps(notes | {"password": "not the one that was set"}))
    try:
        run = start("demo", "--data", str(data))
        code = run.ended()
    finally:
        file.write_text(json.dumps(notes))

    assert code == 1
    assert "remove the folder" in run.err.read_text()
    assert "Traceback" not in run.err.read_text()
    assert processes_of(data) == []
