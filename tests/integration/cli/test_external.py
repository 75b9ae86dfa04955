"""Servers that are not ours: checked at the start, used like our own, left running at the end."""

import json

import psycopg
import pytest

from cli.permissions import SERVICES, users
from cli.services import readers_of, schemas
from libs.embedded.folder import DataFolder
from libs.embedded.nats import NatsUser
from libs.embedded.testing import temporary_nats, temporary_postgres


@pytest.fixture
def folder(tmp_path, make_installation):
    """A folder that has its secrets, and nothing that runs."""
    with DataFolder(tmp_path / "data") as found:
        found.secrets(SERVICES, SERVICES)
    return make_installation(tmp_path)


def test_given_servers_are_used_and_outlive_the_installation(folder):
    readers = {schema.service: readers_of(schema) for schema in schemas()}
    passwords = DataFolder(folder.data).read_secrets().nats
    with temporary_postgres() as postgres, temporary_nats(users(readers, passwords)) as nats:
        folder.given = {
            "TROTH_DATABASE_URL": postgres.dsn(),
            "TROTH_NATS_URL": f"nats://127.0.0.1:{nats.port}",
        }
        folder.start()
        said = "\n".join(folder.said)
        assert "TROTH_DATABASE_URL" in said
        assert "TROTH_NATS_URL" in said
        assert not (folder.data / "postgres").exists()
        doctor = folder.run("doctor", "--data", str(folder.data), "--json")
        wrong = {f["name"]: f["detail"] for f in json.loads(doctor.stdout) if f["how"] != "ok"}
        # This server of a test gave up durability, and the doctor does not let that pass.
        weak = "fsync = off, full_page_writes = off, synchronous_commit = off"
        assert wrong == {"PostgreSQL": weak}
        assert folder.stop() == 0
        assert postgres.poll() is None
        assert nats.poll() is None


def test_a_database_role_without_rights_is_refused_with_the_repair(folder):
    with temporary_postgres() as postgres:
        with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
            admin.execute("create role weak login password 'weak'")
        url = postgres.dsn(user="weak", password="weak")

        refused = folder.run(
            "up", "--data", str(folder.data), "--port", "0", TROTH_DATABASE_URL=url
        )

    assert refused.returncode == 1
    assert "grant CREATEROLE and CREATEDB" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_users_for_an_external_server_are_printed_as_its_configuration(folder):
    printed = folder.run("nats-users", "--data", str(folder.data))

    configured = json.loads(printed.stdout)["authorization"]["users"]
    assert [user["user"] for user in configured] == list(SERVICES)


def test_migrate_makes_databases_and_streams_and_can_be_repeated(folder):
    secrets = DataFolder(folder.data).read_secrets()
    everything = NatsUser("migrate", "m", publish=(">",), subscribe=(">",))
    with temporary_postgres() as postgres, temporary_nats([everything]) as nats:
        given = {
            "TROTH_DATABASE_URL": postgres.dsn(), "TROTH_MIGRATE_NATS_PASSWORD": "m",
            "TROTH_NATS_URL": f"nats://127.0.0.1:{nats.port}",
        }  # fmt: skip
        for service, roles in secrets.databases.items():
            for role, password in roles.items():
                given[f"TROTH_{service.upper()}_{role.upper()}_PASSWORD"] = password

        first, second = folder.run("migrate", **given), folder.run("migrate", **given)

    assert first.returncode == 0, first.stderr
    assert second.returncode == 0, second.stderr
    assert "streams ready: IDENTITY" in second.stdout
    assert "WORK" in second.stdout


def test_migrate_says_which_password_is_missing(folder):
    result = folder.run("migrate", TROTH_DATABASE_URL="postgresql://127.0.0.1:1")

    assert result.returncode == 1
    assert "_SYSTEM_PASSWORD" in result.stderr


def test_a_process_without_its_secrets_does_not_start(folder):
    result = folder.run("serve", "audit")

    assert result.returncode == 1
    assert "TROTH_KEK" in result.stderr
    assert "Traceback" not in result.stderr
