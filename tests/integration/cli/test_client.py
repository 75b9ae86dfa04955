"""The commands that speak with the API, against a whole installation."""

import json
import stat

import pytest

BROKEN = """troth: 1
name: broken
steps:
  - id: total
    set: {amount: "${{ lenn(input.lines) }}"}
"""
FAILS = """troth: 1
name: fails
steps:
  - id: broken
    set: {x: "${{ 1 // 0 }}"}
"""


@pytest.fixture
def hello(installation):
    file = installation.data.parent / "hello.yaml"
    if not file.exists():
        assert installation.run("init", "hello.yaml").returncode == 0
    applied = installation.run("apply", "hello.yaml")
    assert applied.returncode == 0, applied.stderr
    return file


def test_the_token_is_kept_for_its_owner_alone(installation):
    file = installation.config / "credentials.json"

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_wrong_password_is_refused_without_a_trace(installation):
    refused = installation.run(
        "login", "--url", installation.state.address, "--email", "ada@example.com",
        TROTH_PASSWORD="wrong", TROTH_CONFIG_DIR=str(installation.config) + "-2",
    )  # fmt: skip

    assert refused.returncode == 1
    assert "credential-invalid" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_document_with_a_mistake_is_shown_like_a_compilers_and_not_saved(installation):
    (installation.data.parent / "broken.yaml").write_text(BROKEN)

    result = installation.run("apply", "broken.yaml")

    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[0].startswith("broken.yaml:5:24: unknown-function:")
    assert lines[1] == '  5 |     set: {amount: "${{ lenn(input.lines) }}"}'
    assert lines[2].index("^") == lines[1].index("lenn")
    assert lines[3] == "  did you mean: len"
    status, _ = installation.ask("GET", "/v1/workflows/broken", token=token_of(installation))
    assert status == 404


def test_yaml_that_cant_be_read_is_shown_with_its_line(installation):
    (installation.data.parent / "torn.yaml").write_text("troth: 1\nname: [torn\n")

    result = installation.run("apply", "torn.yaml")

    assert result.returncode == 1
    assert "torn.yaml:" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_dry_run_saves_nothing(installation):
    (installation.data.parent / "dry.yaml").write_text(FAILS.replace("name: fails", "name: dry"))

    result = installation.run("apply", "dry.yaml", "--dry-run")

    assert result.returncode == 0, result.stderr
    assert "nothing was saved" in result.stdout
    status, _ = installation.ask("GET", "/v1/workflows/dry", token=token_of(installation))
    assert status == 404


def test_a_file_is_published_once_and_again_when_it_changes(installation):
    file = installation.data.parent / "changing.yaml"
    file.write_text(FAILS.replace("name: fails", "name: changing"))

    def apply():
        return json.loads(installation.run("apply", "changing.yaml", "--json").stdout)[0]

    first, second = apply(), apply()
    file.write_text(file.read_text().replace("1 // 0", "1 // 1"))
    third = apply()

    assert [(r["did"], r["version"]) for r in (first, second, third)] == [
        ("published", 1), ("unchanged", 1), ("published", 2),
    ]  # fmt: skip


def test_a_run_shows_its_timeline_and_its_output(installation, hello):
    result = installation.run("run", "hello", "--input", '{"name": "Ada"}')

    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("exe_")
    assert any("greeting" in line and "set" in line for line in lines)
    assert "succeeded after" in result.stdout
    assert '"text": "Hello Ada! Nice to meet you."' in result.stdout


def test_the_exit_code_of_a_run_is_its_outcome(installation):
    (installation.data.parent / "fails.yaml").write_text(FAILS)
    assert installation.run("apply", "fails.yaml").returncode == 0

    result = installation.run("run", "fails", "--json")

    assert result.returncode == 1
    ended = json.loads(result.stdout)["execution"]
    assert (ended["status"], ended["error"]["type"]) == ("failed", "expression-division-by-zero")


def test_the_same_key_starts_nothing_a_second_time(installation, hello):
    words = ("run", "hello", "--input", '{"name": "Ada"}', "--key", "order-1", "--no-wait")

    first, second = installation.run(*words), installation.run(*words)

    assert first.stdout.startswith("exe_")
    assert first.stdout == second.stdout


def test_a_workflow_that_is_not_there_is_answered_with_one_that_is(installation, hello):
    result = installation.run("run", "helo")

    assert result.returncode == 1
    assert "did you mean 'hello'?" in result.stderr


def test_executions_are_listed_and_shown(installation, hello):
    started = installation.run("run", "hello", "--input", '{"name": "Ada"}', "--no-wait")
    execution = started.stdout.strip()
    installation.run("executions", "show", execution, "--follow")

    listed = installation.run("executions", "list", "--workflow", "hello")
    shown = json.loads(installation.run("executions", "show", execution, "--json").stdout)

    assert execution in listed.stdout
    assert "hello" in listed.stdout
    assert shown["execution"]["status"] == "succeeded"
    assert [e["kind"] for e in shown["timeline"]][-1] == "finished"


def test_events_are_cloudevents_one_a_line(installation, hello):
    result = installation.run("events", "--type", "workflows.event.*", "--json")

    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert events
    assert all(event["specversion"] == "1.0" for event in events)
    assert all(event["type"].startswith("workflows.event.") for event in events)


def token_of(installation) -> str:
    return json.loads((installation.config / "credentials.json").read_text())["token"]
