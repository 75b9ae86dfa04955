"""The embedded PostgreSQL: data stays, readiness is true, strangers stay out."""

import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from libs.embedded.children import CannotStart
from libs.embedded.folder import free_port
from libs.embedded.postgres import Postgres
from libs.embedded.testing import temporary_postgres


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    made = Postgres(tmp_path / "data", free_port(), "secret", durable=False)
    yield made
    made.stop()


def write(server: Postgres, value: int) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("create table if not exists kept (value int)")
        connection.execute("insert into kept values (%s)", [value])


def read(server: Postgres) -> list[int]:
    with psycopg.connect(server.dsn()) as connection:
        return [row[0] for row in connection.execute("select value from kept order by value")]


def until_ended(server: Postgres) -> None:
    deadline = time.monotonic() + 20
    while server.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def settings(server: Postgres, *names: str) -> dict[str, str]:
    with psycopg.connect(server.dsn()) as connection:
        query = "select name, current_setting(name) from pg_settings where name = any(%s)"
        return dict(connection.execute(query, [list(names)]).fetchall())


def test_a_durable_server_has_every_guard_of_a_commit_switched_on(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "data", free_port(), "secret")
    try:
        server.start()
        assert settings(
            server,
            *("fsync", "synchronous_commit", "full_page_writes", "data_checksums"),
            *("listen_addresses", "unix_socket_directories", "max_connections", "jit"),
            *("idle_in_transaction_session_timeout", "tcp_user_timeout", "autovacuum"),
        ) == {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "100",
            "jit": "off",
            "idle_in_transaction_session_timeout": "5s",
            "tcp_user_timeout": "5000",
            "autovacuum": "on",
        }
    finally:
        server.stop()


def test_what_was_committed_is_there_after_a_restart(server: Postgres) -> None:
    server.start()
    write(server, 1)
    server.stop()
    assert server.pid is None
    server.start()
    assert read(server) == [1]


def test_what_was_committed_is_there_after_the_server_was_killed(server: Postgres) -> None:
    server.start()
    for value in range(3):
        write(server, value)
        # A session that is open while the server dies keeps its process busy for a moment.
        session = psycopg.connect(server.dsn())
        session.execute("select 1")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        until_ended(server)
        server.start()
        session.close()
    assert read(server) == [0, 1, 2]


@pytest.mark.parametrize("holder", ["nobody", "this process"])
def test_a_stale_pid_file_is_neither_an_obstacle_nor_readiness(
    server: Postgres, holder: str
) -> None:
    server.start()
    write(server, 1)
    file = server.data_dir / "postmaster.pid"
    lines = file.read_text().splitlines()
    assert lines[7].strip() == "ready"
    server.stop()
    sleeper = subprocess.Popen(["sleep", "600"])
    try:
        # Number 4,194,305 is one more than Linux ever gives to a process.
        lines[0] = str(sleeper.pid) if holder == "this process" else "4194305"
        file.write_text("\n".join(lines) + "\n")
        file.chmod(0o600)
        server.start()
        assert file.read_text().splitlines()[0] == str(server.pid)
        assert read(server) == [1]
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_pid_file_of_a_live_server_on_this_folder_is_left_alone(server: Postgres) -> None:
    server.start()
    file = server.data_dir / "postmaster.pid"
    lines = file.read_text().splitlines()
    server.stop()
    stranger = subprocess.Popen(["tail", "-f", "/dev/null", str(server.data_dir / "PG_VERSION")])
    try:
        lines[0] = str(stranger.pid)
        file.write_text("\n".join(lines) + "\n")
        file.chmod(0o600)
        with pytest.raises(CannotStart, match="runs on this data: stop it"):
            server.start()
        assert file.read_text().splitlines() == lines
    finally:
        stranger.kill()
        stranger.wait()


def test_a_wrong_password_and_no_password_are_refused(server: Postgres) -> None:
    server.start()
    for password in ("wrong", ""):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.dsn(password=password))
    assert "scram-sha-256" in (server.data_dir / "pg_hba.conf").read_text()
    assert "trust" not in [
        line.split()[-1]
        for line in (server.data_dir / "pg_hba.conf").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]


def test_data_and_log_are_closed_to_others(server: Postgres) -> None:
    server.start()
    assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.log.stat().st_mode) == 0o600


def test_errors_of_clients_and_their_values_are_not_logged(server: Postgres) -> None:
    server.start()
    write(server, 1)
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("create unique index on kept (value)")
        for statement in ("insert into kept values (1)", "select 'marker-8f3a'::int"):
            with pytest.raises(psycopg.Error):
                connection.execute(statement.encode())
    server.stop()
    assert "shut down" in server.log.read_text()
    assert "marker-8f3a" not in server.log.read_text()
    assert "duplicate" not in server.log.read_text()


def test_a_taken_port_is_named_and_leaves_nothing_running(server: Postgres) -> None:
    with (
        socket.create_server(("127.0.0.1", server.port)),
        pytest.raises(CannotStart, match=f"port {server.port} is taken"),
    ):
        server.start()
    assert server.pid is None
    server.start()


def test_a_second_server_on_the_same_data_is_refused(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    monkeypatch.setattr("libs.embedded.postgres.PREVIOUS_TIMEOUT_S", 0.2)
    second = Postgres(server.data_dir, free_port(), "secret", durable=False)
    with pytest.raises(CannotStart, match="another PostgreSQL still runs"):
        second.start()
    write(server, 1)
    assert read(server) == [1]


def test_an_initdb_that_was_killed_half_way_is_made_anew(server: Postgres) -> None:
    half = server.data_dir.parent / ".data-initdb-x1"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    server.start()
    assert not list(server.data_dir.parent.glob(".data-initdb-*"))


def test_an_initdb_that_fails_says_why_and_leaves_nothing(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin"
    broken.mkdir()
    for name, line in (("postgres", "echo 'postgres (PostgreSQL) 18.1'"), ("initdb", "false")):
        (broken / name).write_text(f"#!/bin/sh\necho 'disk on fire' >&2\n{line}\n")
        (broken / name).chmod(0o755)
    monkeypatch.setenv("TROTH_POSTGRES_BIN", str(broken))
    with pytest.raises(CannotStart, match="disk on fire"):
        server.start()
    assert not server.data_dir.exists()
    assert not list(tmp_path.glob(".data-initdb-*"))


def test_data_of_another_major_version_is_refused_with_the_repair(server: Postgres) -> None:
    server.data_dir.mkdir()
    (server.data_dir / "PG_VERSION").write_text("12\n")
    with pytest.raises(CannotStart, match=r"made by PostgreSQL 12.*TROTH_POSTGRES_BIN"):
        server.start()


def test_a_temporary_server_is_gone_with_its_folder() -> None:
    with temporary_postgres() as server:
        write(server, 1)
        pid, folder = server.pid, server.data_dir.parent
        assert settings(server, "fsync") == {"fsync": "off"}
    assert not Path(f"/proc/{pid}").exists()
    assert not folder.exists()
