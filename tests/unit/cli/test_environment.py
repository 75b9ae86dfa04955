"""Each process gets its own secrets and nobody else's."""

from pathlib import Path

import pytest

from cli.environment import Servers, Wanted, for_migration, for_process, without_user
from cli.installation import TOGETHER, plans
from cli.permissions import SERVICES
from libs.embedded.secrets import complete

SERVERS = Servers(
    "nats://127.0.0.1:4222", "postgresql://postgres:topsecret@127.0.0.1:5433/postgres"
)


@pytest.fixture
def secrets():
    return complete(None, SERVICES, SERVICES)


def environment(services, secrets, wanted=None):
    wanted = wanted or Wanted(Path("/data"))
    return for_process(services, secrets, SERVERS, wanted, http_port=8080, ops_port=9090)


def test_a_process_knows_the_passwords_of_what_it_serves_and_no_others(secrets):
    found = environment(("executor",), secrets)

    assert found["TROTH_EXECUTOR_SYSTEM_PASSWORD"] == secrets.databases["executor"]["system"]
    assert found["TROTH_EXECUTOR_NATS_PASSWORD"] == secrets.nats["executor"]
    others = [name for name in found if name.endswith("_PASSWORD") and "EXECUTOR" not in name]
    assert others == []


def test_only_identity_gets_the_pepper_and_the_one_time_token(secrets):
    assert "TROTH_PEPPER" not in environment(("executor",), secrets)
    assert "TROTH_OPERATOR_TOKEN" not in environment(("gateway",), secrets)
    assert environment(TOGETHER, secrets)["TROTH_PEPPER"] == secrets.pepper


def test_the_administrators_password_of_the_database_reaches_no_service(secrets, monkeypatch):
    monkeypatch.setenv("TROTH_DATABASE_URL", SERVERS.admin_url)

    for plan in plans(2):
        assert "topsecret" not in str(environment(plan.services, secrets))
    assert for_migration(SERVICES, secrets, SERVERS.admin_url)["TROTH_DATABASE_URL"].count(
        "topsecret"
    )


def test_passwords_of_the_surrounding_shell_are_not_handed_on(secrets, monkeypatch):
    monkeypatch.setenv("TROTH_PASSWORD", "of a person")
    monkeypatch.setenv("TROTH_AUDIT_SYSTEM_PASSWORD", "of another service")
    monkeypatch.setenv("TROTH_LOG_LEVEL", "DEBUG")

    found = environment(("executor",), secrets)

    assert "TROTH_PASSWORD" not in found
    assert "TROTH_AUDIT_SYSTEM_PASSWORD" not in found
    assert found["TROTH_LOG_LEVEL"] == "DEBUG"


def test_the_migration_sees_databases_but_no_key(secrets):
    found = for_migration(SERVICES, secrets, SERVERS.admin_url)

    assert secrets.key_encryption_key not in found.values()
    assert found["TROTH_BILLING_READER_PASSWORD"] == secrets.databases["billing"]["reader"]


def test_addresses_inside_that_are_allowed_go_to_the_processes(secrets):
    wanted = Wanted(Path("/data"), allow=("127.0.0.1:8099", "receiver:80"))

    found = environment(("executor",), secrets, wanted)

    assert found["TROTH_EGRESS_ALLOW"] == "127.0.0.1:8099,receiver:80"


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        ("postgresql://a:b@db.example:6000/postgres", "postgresql://db.example:6000"),
        ("postgresql://db.example", "postgresql://db.example"),
        ("postgresql://a:b@[::1]:5432/x", "postgresql://[::1]:5432"),
    ],
)
def test_a_url_loses_its_user_and_database(url, bare):
    assert without_user(url) == bare


def test_the_door_opens_last_so_that_it_closes_first():
    assert [plan.name for plan in plans(2)] == ["services", "executor-1", "executor-2", "gateway"]
    served = [service for plan in plans(1) for service in plan.services]
    assert sorted(served) == sorted(SERVICES)


def test_a_moved_clock_is_that_of_every_process(secrets, monkeypatch):
    monkeypatch.setenv("TROTH_CLOCK_OFFSET_S", "86400")

    for plan in plans(2):
        assert environment(plan.services, secrets)["TROTH_CLOCK_OFFSET_S"] == "86400"
    assert for_migration(SERVICES, secrets, SERVERS.admin_url)["TROTH_CLOCK_OFFSET_S"] == "86400"
