"""Dockerfile and compose file are linted; they are not run here, for want of a Docker engine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.deploy

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
SERVICES = ["identity", "workflows", "executor", "billing", "audit", "gateway", "subscriptions"]


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.fixture
def secrets(tmp_path):
    make_secrets(tmp_path / "secrets")
    return {
        file.stem: dict(line.split("=", 1) for line in file.read_text().splitlines())
        for file in (tmp_path / "secrets").iterdir()
    }


def make_secrets(folder: Path) -> None:
    command = [sys.executable, ROOT / "deploy" / "make_secrets.py", folder]
    subprocess.run(command, check=True, capture_output=True, timeout=30)


def test_the_dockerfile_passes_hadolint():
    passed = subprocess.run(
        [TOOLS / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, timeout=60
    )

    assert (passed.returncode, passed.stdout) == (0, "")


def test_the_image_is_built_from_the_lock_and_runs_as_nobody_in_particular():
    lines = (ROOT / "Dockerfile").read_text()
    last_stage = lines.rsplit("FROM ", 1)[1]

    assert "--require-hashes" in lines
    assert {line for line in lines.splitlines() if line.startswith("FROM ")} == {
        "FROM python:3.11-slim-bookworm AS build",
        "FROM python:3.11-slim-bookworm",
    }
    assert "\nUSER 10001:10001\n" in last_stage
    assert '\nENTRYPOINT ["troth"]\n' in last_stage


def test_what_the_dockerfile_copies_is_there_and_let_through():
    wanted = [
        line.split()[-2]
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from=" not in line
    ]
    let_through = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]

    for path in wanted:
        assert (ROOT / path).exists()
        assert any(path == allowed or path.startswith(f"{allowed}/") for allowed in let_through)


def test_the_compose_file_fits_its_specification():
    command = [TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec"]
    passed = subprocess.run(
        [*command, ROOT / "docker-compose.yml"], capture_output=True, text=True, timeout=60
    )

    assert passed.returncode == 0, passed.stdout + passed.stderr


def test_compose_serves_every_service_after_the_migration(compose):
    for service in SERVICES:
        assert compose[service]["command"] == ["serve", service]
        after = compose[service]["depends_on"]["migrate"]["condition"]
        assert after == "service_completed_successfully"
    assert compose["migrate"]["command"] == ["migrate"]


def test_compose_lets_only_the_gateway_be_entered_and_four_services_out(compose):
    assert [name for name in compose if "ports" in compose[name]] == ["gateway"]
    assert all(port.startswith("127.0.0.1:") for port in compose["gateway"]["ports"])
    assert {name for name in compose if "outside" in compose[name]["networks"]} == {
        "gateway", "executor", "subscriptions", "identity"
    }  # fmt: skip


def test_every_secret_file_that_compose_names_is_made(compose, secrets):
    named = {Path(file).stem for name in compose for file in compose[name]["env_file"]}

    assert named == set(secrets)


def test_a_service_gets_the_passwords_of_no_other(secrets):
    for service in SERVICES:
        passwords = {name for name in secrets[service] if name.endswith("_PASSWORD")}
        kinds = {"SYSTEM", "READER", "NATS"} | ({"SIGNER"} if service == "audit" else set())
        assert passwords == {f"TROTH_{service.upper()}_{kind}_PASSWORD" for kind in kinds}
        assert passwords & secrets["nats"].keys() == {f"TROTH_{service.upper()}_NATS_PASSWORD"}
        assert passwords & secrets["migrate"].keys() == passwords - secrets["nats"].keys()
        assert secrets[service]["TROTH_KEK"] == secrets["migrate"]["TROTH_KEK"]


def test_secrets_are_read_by_their_owner_only_and_never_made_over(tmp_path):
    folder = tmp_path / "secrets"
    make_secrets(folder)
    before = {file: file.read_text() for file in folder.iterdir()}

    with pytest.raises(subprocess.CalledProcessError):
        make_secrets(folder)

    assert {file: file.read_text() for file in folder.iterdir()} == before
    assert {os.stat(file).st_mode & 0o777 for file in before} == {0o600}
