"""A supervisor that is killed leaves no process behind, and the next one finds all data."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from libs.embedded.children import CannotStart
from libs.embedded.folder import free_port
from libs.embedded.postgres import Postgres

SCRIPT = """
import sys, time
from pathlib import Path
from libs.embedded.folder import DataFolder
from libs.embedded.nats import Nats, NatsUser
from libs.embedded.postgres import Postgres
from libs.embedded.supervise import Process, Supervisor
folder = DataFolder(Path(sys.argv[1]))
folder.lock()
known = folder.secrets(["audit"], ["audit"])
ports = folder.ports({"postgres": None, "nats": None, "monitor": None})
postgres = Postgres(folder.postgres, ports["postgres"], known.postgres)
users = [NatsUser("audit", known.nats["audit"], [">"], [">"])]
supervisor = Supervisor()
supervisor.start("postgres", postgres)
supervisor.start("nats", Nats(folder.nats, ports["nats"], ports["monitor"], users))
sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
supervisor.start("sleeper", Process(sleeper, log=folder.logs / "sleeper.log"))
print(postgres.dsn(), *supervisor.pids().values(), flush=True)
while sys.argv[2] == "stay":
    supervisor.poll()
    time.sleep(0.05)
supervisor.stop_all(20)
"""


def supervisor(folder: Path, then: str) -> tuple[subprocess.Popen[str], str, list[int]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), then],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    dsn, *pids = process.stdout.readline().split()
    return process, dsn, [int(pid) for pid in pids]


def alive(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # before it was opened, before it was read
        return False


def wait_until_gone(pids: list[int], timeout_s: float = 5) -> None:
    deadline = time.monotonic() + timeout_s
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still there: {[p for p in pids if alive(p)]}"
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a dead parent")
def test_nothing_is_left_of_a_killed_supervisor_and_all_data_is_there(tmp_path: Path) -> None:
    process, dsn, pids = supervisor(tmp_path / "data", "stay")
    assert len(pids) == 3
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create table kept (value int)")
        connection.execute("insert into kept values (7)")
        process.kill()
        process.communicate()
    wait_until_gone(pids)

    process, dsn, pids = supervisor(tmp_path / "data", "stay")
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select value from kept").fetchone() == (7,)
    process.kill()
    process.communicate()
    wait_until_gone(pids)


def test_a_new_supervisor_waits_for_what_a_killed_one_left(tmp_path: Path) -> None:
    for _ in range(3):
        process, dsn, pids = supervisor(tmp_path / "data", "stay")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("create table if not exists kept as select generate_series(1, 99)")
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
    process, dsn, pids = supervisor(tmp_path / "data", "leave")
    process.communicate(timeout=60)
    assert process.returncode == 0
    wait_until_gone(pids)


def test_a_supervisor_killed_while_it_makes_the_cluster_is_no_obstacle(tmp_path: Path) -> None:
    data = tmp_path / "data"
    seen: set[Path] = set()

    def workshops() -> set[Path]:
        return set(data.glob(".postgres-initdb-*/data/base/1"))

    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(data), "stay"],
            stdout=subprocess.DEVNULL,
            cwd=Path(__file__).parents[3],
        )
        deadline = time.monotonic() + 60
        while not workshops() - seen:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
        process.wait()
        assert not (data / "postgres").exists()
        seen |= workshops()
    process, _, pids = supervisor(data, "leave")
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert not list(data.glob(".postgres-initdb-*"))
    wait_until_gone(pids)


def test_a_killed_server_is_restarted_and_serves_the_same_data(tmp_path: Path) -> None:
    process, dsn, pids = supervisor(tmp_path / "data", "stay")
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("create table kept as select 7 as value")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_until_gone(pids, 20)
        deadline = time.monotonic() + 60
        while True:
            try:
                with psycopg.connect(dsn) as connection:
                    assert connection.execute("select value from kept").fetchone() == (7,)
                break
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
    finally:
        process.kill()
        process.communicate()


def test_a_cluster_is_not_made_while_a_killed_initdb_still_has_a_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    version = "#!/bin/sh\necho 'postgres (PostgreSQL) 18.1'\n"
    slow = "#!/bin/sh\nsleep 600 &\necho $! > ../writer\nwait\n"
    for name, script in (("postgres", version), ("initdb", slow)):
        (tmp_path / "bin" / name).write_text(script.replace("../", f"{tmp_path}/"))
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("TROTH_POSTGRES_BIN", str(tmp_path / "bin"))
    first = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "data"), "stay"],
        cwd=Path(__file__).parents[3],
    )
    deadline = time.monotonic() + 60
    writer = tmp_path / "writer"
    while not (writer.exists() and writer.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    first.kill()
    first.wait()
    monkeypatch.delenv("TROTH_POSTGRES_BIN")
    monkeypatch.setattr("libs.embedded.postgres.PREVIOUS_TIMEOUT_S", 0.2)
    server = Postgres(tmp_path / "data" / "postgres", free_port(), "secret", durable=False)
    with pytest.raises(CannotStart, match="another PostgreSQL still runs"):
        server.start()
    os.kill(int(writer.read_text()), signal.SIGKILL)
    monkeypatch.setattr("libs.embedded.postgres.PREVIOUS_TIMEOUT_S", 20)
    server.start()
    server.stop()
