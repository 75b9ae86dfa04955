"""The data folder has one owner at a time, keeps its secrets to itself and is recognised again."""

import base64
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from libs.embedded.folder import DataFolder, FolderInUse, FolderRefused
from libs.embedded.secrets import SecretsRefused

SERVICES = ("identity", "workflows")
USERS = ("gateway", "identity", "workflows")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_and_all_in_it_are_closed_to_others(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data") as folder:
        folder.secrets(SERVICES, USERS)
        folder.ports({"nats": None})
        assert mode(folder.path) == 0o700
        for path in folder.path.rglob("*"):
            assert mode(path) & 0o077 == 0, path


def test_a_second_owner_is_refused_and_told_the_pid_of_the_first(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, pathlib\n"
            "from libs.embedded.folder import DataFolder\n"
            "DataFolder(pathlib.Path(sys.argv[1])).lock()\n"
            "print('held', flush=True)\n"
            "sys.stdin.read()\n",
            str(tmp_path / "data"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(FolderInUse, match=f"pid {holder.pid}"):
            DataFolder(tmp_path / "data").lock()
    finally:
        holder.kill()
        holder.communicate()
    DataFolder(tmp_path / "data").lock()


def test_an_owner_that_unlocks_lets_the_next_one_in(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data"), pytest.raises(FolderInUse, match=f"pid {os.getpid()}"):
        DataFolder(tmp_path / "data").lock()
    with DataFolder(tmp_path / "data"):
        pass


def test_a_folder_with_other_peoples_files_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    tmp_path.chmod(0o755)
    with pytest.raises(FolderRefused, match="not a data folder of Troth"):
        DataFolder(tmp_path).lock()
    assert mode(tmp_path) == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_of_another_format_is_refused_and_not_kept_locked(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data") as folder:
        folder.secrets(SERVICES, USERS)
    (tmp_path / "data" / "version").write_text("99\n")
    for _ in range(2):
        with pytest.raises(FolderRefused, match="has format 99"):
            DataFolder(tmp_path / "data").lock()


def test_secrets_are_made_once_and_read_again(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data") as folder:
        first = folder.secrets(SERVICES, USERS)
    with DataFolder(tmp_path / "data") as folder:
        assert folder.secrets(SERVICES, USERS) == first
    assert DataFolder(tmp_path / "data").read_secrets() == first


def test_every_secret_is_its_own_and_keys_have_32_bytes(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data") as folder:
        made = folder.secrets(SERVICES, USERS)
    keys = [made.key_encryption_key, made.pepper, made.index_key]
    passwords = [
        made.postgres,
        made.operator_token,
        *(password for roles in made.databases.values() for password in roles.values()),
        *made.nats.values(),
    ]
    assert {service: set(roles) for service, roles in made.databases.items()} == {
        service: {"system", "reader"} for service in SERVICES
    }
    assert set(made.nats) == set(USERS)
    assert [len(base64.b64decode(key)) for key in keys] == [32, 32, 32]
    assert all(len(password) >= 32 for password in passwords)
    assert len({*keys, *passwords}) == len(keys) + len(passwords)
    assert not any(secret in repr(made) for secret in (*keys, *passwords))


def test_a_new_service_gets_passwords_and_the_others_keep_theirs(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data") as folder:
        before = folder.secrets(SERVICES, USERS)
        after = folder.secrets((*SERVICES, "audit"), (*USERS, "audit"))
    assert after.databases.keys() - before.databases.keys() == {"audit"}
    assert before.databases.items() <= after.databases.items()
    assert before.nats.items() <= after.nats.items()
    assert after.key_encryption_key == before.key_encryption_key


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o666])
def test_secrets_that_others_may_read_are_refused_with_the_repair(
    tmp_path: Path, bits: int
) -> None:
    with DataFolder(tmp_path / "data") as folder:
        folder.secrets(SERVICES, USERS)
        (folder.path / "secrets.json").chmod(bits)
        with pytest.raises(SecretsRefused, match="chmod 600"):
            folder.secrets(SERVICES, USERS)


def test_lost_secrets_are_never_replaced_by_new_ones(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data") as folder:
        folder.secrets(SERVICES, USERS)
        (folder.path / "secrets.json").unlink()
        with pytest.raises(SecretsRefused, match="restore it"):
            folder.secrets(SERVICES, USERS)
        assert not (folder.path / "secrets.json").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"postgres": "x"}'])
def test_damaged_secrets_are_refused_and_kept(tmp_path: Path, text: str) -> None:
    with DataFolder(tmp_path / "data") as folder:
        folder.secrets(SERVICES, USERS)
        (folder.path / "secrets.json").write_text(text)
        with pytest.raises(SecretsRefused, match="damaged"):
            folder.secrets(SERVICES, USERS)
        assert (folder.path / "secrets.json").read_text() == text


def test_nothing_is_written_without_the_lock(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    with pytest.raises(FolderRefused, match="must be locked"):
        folder.secrets(SERVICES, USERS)
    with pytest.raises(FolderRefused, match="must be locked"):
        folder.ports({"nats": None})
    assert not folder.path.exists()


def test_ports_are_kept_over_starts_unless_somebody_took_them(tmp_path: Path) -> None:
    wanted: dict[str, int | None] = {"nats": None, "postgres": None, "http": 8080}
    with DataFolder(tmp_path / "data") as folder:
        first = folder.ports(wanted)
        assert first["http"] == 8080
        assert len(set(first.values())) == 3
        assert folder.ports(wanted) == first
        with socket.create_server(("127.0.0.1", first["nats"])):
            second = folder.ports(wanted)
        assert second["nats"] != first["nats"]
        assert second["postgres"] == first["postgres"]
        assert folder.read_ports() == second
