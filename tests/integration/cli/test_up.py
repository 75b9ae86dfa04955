"""`troth up` as a whole: one owner of a folder, restarts, an end that leaves nothing behind."""

import json
import os
import signal
import stat
import time

from cli.expected import known_digest

WITHIN_S = 40


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(look, what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not look():
        assert time.monotonic() < deadline, f"not within {WITHIN_S} s: {what}"
        time.sleep(0.05)


def test_it_says_versions_times_and_how_to_get_in(installation):
    said = "\n".join(installation.said)

    assert "PostgreSQL 1" in said
    assert "NATS 2." in said
    for process in ("services", "executor-1", "gateway"):
        assert f"{process}  ready in" in said
    assert "this link works once: http://127.0.0.1:" in said


def test_the_link_works_once(installation):
    token = next(s for s in installation.said if "token=" in s).rpartition("token=")[2]
    body = {"token": token, "name": "Eve", "email": "eve@example.com", "password": "x" * 20}

    status, problem = installation.post("/v1/instance/setup", body)

    assert (status, problem["code"]) == (409, "set-up-already")


def test_secrets_are_for_their_owner_alone(installation):
    assert stat.S_IMODE(installation.data.stat().st_mode) == 0o700
    for name in ("secrets.json", "run.json", "expected.json"):
        assert stat.S_IMODE((installation.data / name).stat().st_mode) == 0o600
    for log in (installation.data / "logs").iterdir():
        assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_second_one_on_the_folder_is_refused_in_plain_words(installation):
    second = installation.run("up", "--data", str(installation.data), "--port", "0")

    assert second.returncode == 1
    assert f"is in use by another `troth up` (pid {installation.state.pid})" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_port_that_is_taken_is_said_in_plain_words(installation):
    port = installation.state.address.rpartition(":")[2]

    second = installation.run("up", "--data", str(installation.data) + "-2", "--port", port)

    assert second.returncode == 1
    assert f"port {port} of 127.0.0.1 is taken" in second.stderr


def test_a_folder_of_somebody_else_is_not_used(installation, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")

    refused = installation.run("up", "--data", str(tmp_path), "--port", "0")

    assert refused.returncode == 1
    assert "not a data folder of Troth" in refused.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["precious.txt"]


def test_a_process_that_is_killed_is_started_again(installation):
    before = installation.state.processes["executor-1"].pid
    assert before is not None

    os.kill(before, signal.SIGKILL)

    wait_until(
        lambda: installation.state.processes["executor-1"].pid not in (None, before),
        "another pid in run.json",
    )
    wait_until(lambda: "executor-1" not in wrong(installation), "it is ready again")


def wrong(installation) -> str:
    """What the doctor says about the processes."""
    said = installation.run("doctor", "--data", str(installation.data), "--json").stdout
    (finding,) = [one for one in json.loads(said) if one["name"] == "processes"]
    return "" if finding["how"] == "ok" else finding["detail"]


def test_sigterm_leaves_no_process_and_a_restart_has_all_data(installation):
    token_works, before = installation.ask("GET", "/v1/plans")
    assert token_works == 200
    listed = installation.run("executions", "--help")
    assert listed.returncode == 0
    workflows = installation.run("init", "kept.yaml")
    assert workflows.returncode == 0, workflows.stderr
    assert installation.run("apply", "kept.yaml").returncode == 0
    pids, prepared_for = installation.pids, known_digest(installation.data)

    assert installation.stop() == 0

    assert not any(alive(pid) for pid in pids), pids
    assert not (installation.data / "run.json").exists()
    installation.start()
    assert not any("/setup?token=" in line for line in installation.said)
    prepared = any("databases  prepared" in line for line in installation.said)
    assert prepared == (known_digest(installation.data) != prepared_for), "only for other code"
    again = installation.run("run", "kept", "--input", '{"name": "Ada"}')
    assert again.returncode == 0, again.stderr
    assert "Hello Ada!" in again.stdout
    assert installation.ask("GET", "/v1/plans")[1] == before
