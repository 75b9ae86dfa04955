"""The command line itself: names, configuration, input."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import run_state
from cli.client import SignedIn, config_file, keep, signed_in
from cli.expected import fingerprint
from cli.main import COMMANDS, main
from cli.run import input_of
from cli.run_state import ProcessState, RunState, ServerState

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def own_configuration(tmp_path, monkeypatch):
    for name in ("TROTH_TOKEN", "TROTH_URL", "TROTH_ORGANIZATION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TROTH_CONFIG_DIR", str(tmp_path / "config"))


def invoke(*arguments):
    return CliRunner().invoke(main, list(arguments))


def test_help_names_every_command():
    result = invoke("--help")

    assert result.exit_code == 0
    assert all(f"  {name} " in result.output for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_explains_itself(name):
    result = invoke(name, "--help")

    assert result.exit_code == 0, result.output
    assert result.output.startswith("Usage:")


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['troth', '--help']\n"
        "from cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = ('rich', 'httpx', 'sqlalchemy', 'pydantic', 'nats')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert said.stdout.splitlines()[-1] == "[]"


def test_a_mistyped_command_is_answered_with_the_right_one():
    result = invoke("aply")

    assert result.exit_code == 2
    assert "did you mean 'apply'?" in result.output


def test_a_mistyped_service_is_answered_with_those_there_are():
    result = invoke("serve", "identitty")

    assert result.exit_code == 2
    assert "identity, workflows, executor" in result.output


def test_the_gateway_is_served_alone():
    result = invoke("serve", "gateway", "audit")

    assert result.exit_code == 2
    assert "served alone" in result.output


def test_the_token_is_kept_where_only_its_owner_reads_it():
    file = keep(SignedIn("http://x", "t0ken", "home"))

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert signed_in() == SignedIn("http://x", "t0ken", "home")
    assert "t0ken" not in repr(signed_in())


def test_a_kept_token_that_others_can_read_is_not_used(capsys):
    os.chmod(keep(SignedIn("http://x", "t0ken")), 0o644)

    with pytest.raises(SystemExit):
        signed_in()

    assert f"chmod 600 {config_file()}" in capsys.readouterr().err


def test_a_token_of_the_environment_comes_before_the_kept_one(monkeypatch):
    keep(SignedIn("http://x", "kept"))
    monkeypatch.setenv("TROTH_TOKEN", "given")

    assert signed_in().token == "given"


def test_who_is_not_signed_in_is_told_how():
    result = invoke("executions")

    assert result.exit_code == 1
    assert "troth login" in result.output


def test_an_installation_that_is_not_there_is_said_in_plain_words(monkeypatch):
    monkeypatch.setenv("TROTH_TOKEN", "t")
    monkeypatch.setenv("TROTH_URL", "http://127.0.0.1:1")

    result = invoke("executions")

    assert result.exit_code == 1
    assert "does not answer" in result.output
    assert "troth up" in result.output
    assert "Traceback" not in result.output


def test_input_comes_from_the_command_line_or_a_file(tmp_path):
    file = tmp_path / "input.json"
    file.write_text('{"name": "Ada"}')

    assert input_of('{"name": "Ada"}') == input_of(f"@{file}") == {"name": "Ada"}
    assert input_of(None) == {}


@pytest.mark.parametrize("given", ["{", "@/nowhere/input.json"])
def test_input_that_is_none_ends_the_command_before_anything_starts(given, capsys):
    with pytest.raises(SystemExit) as ended:
        input_of(given)

    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("troth: ")


def test_init_writes_a_workflow_of_that_name_once(tmp_path):
    file = tmp_path / "my-first.yaml"

    assert invoke("init", str(file)).exit_code == 0
    assert "name: my-first\n" in file.read_text()
    again = invoke("init", str(file))
    assert again.exit_code == 1
    assert "is there already" in again.output


def test_init_refuses_a_name_that_no_workflow_can_have(tmp_path):
    result = invoke("init", str(tmp_path / "My File.yaml"))

    assert result.exit_code == 1
    assert not list(tmp_path.glob("*.yaml"))


def test_the_state_of_a_running_installation_is_read_back(tmp_path):
    state = RunState(
        os.getpid(), "http://127.0.0.1:8080", "2026-11-21T10:00:00+00:00",
        ServerState("2.15.1", 4222, 7, 8222), ServerState("18", 5432),
        {"gateway": ProcessState(8, ["gateway"], 9090)}, 86_400.0,
    )  # fmt: skip
    state.write(tmp_path)

    assert run_state.read(tmp_path) == state
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o600


def test_the_state_of_one_that_was_killed_counts_for_nothing(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    RunState(ended.pid, "", "", ServerState("", 1), ServerState("", 1)).write(tmp_path)

    assert run_state.read(tmp_path) is None


def test_the_fingerprint_follows_the_code_and_what_is_added():
    assert fingerprint("a") == fingerprint("a")
    assert fingerprint("a") != fingerprint("b")


def test_a_folder_of_somebody_else_is_found_out_by_the_doctor(tmp_path):
    result = invoke("doctor", "--data", str(tmp_path), "--json")

    assert result.exit_code == 1
    (finding,) = json.loads(result.stdout)
    assert finding["name"] == "data folder"
    assert finding["repair"]
