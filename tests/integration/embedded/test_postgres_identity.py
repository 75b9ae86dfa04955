"""PostgreSQL refuses to be root: the embedded one runs for root and for an ordinary user alike."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from libs.embedded.binaries import find_postgres

NOBODY = 65534
SCRIPT = """
import os, sys
from pathlib import Path
import psycopg
from libs.embedded import identity
from libs.embedded.folder import free_port
from libs.embedded.postgres import Postgres
kind, folder, become = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
if become:
    os.setgroups([])
    os.setresgid(become, become, become)
    os.setresuid(become, become, become)
as_whom = getattr(identity, kind)()
for start in range(2):
    server = Postgres(folder / "data", free_port(), "secret", durable=False, identity=as_whom)
    server.start()
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("create table if not exists t (n int)")
        connection.execute("insert into t values (1)")
        count = connection.execute("select count(*) from t").fetchone()[0]
    uid = Path(f"/proc/{server.pid}").stat().st_uid
    server.stop()
    print(as_whom.kind, uid, count)
"""


def run_as(kind: str, folder: Path, become: int = 0) -> list[str]:
    """`become` happens after the imports: the interpreter may lie in a folder closed to others."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, kind, str(folder), str(become)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@needs_root
@pytest.mark.parametrize(("kind", "uid"), [("user_namespace", 0), ("other_user", NOBODY)])
def test_root_has_its_server_in_a_folder_that_only_root_may_enter(
    tmp_path: Path, kind: str, uid: int
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    if kind == "user_namespace" and not user_namespaces_work():
        pytest.skip("this kernel or container refuses user namespaces")
    name = kind.replace("_", "-")
    assert run_as(kind, closed) == [f"{name} {uid} 1", f"{name} {uid} 2"]
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@needs_root
def test_data_made_in_one_identity_is_taken_over_by_the_other(tmp_path: Path) -> None:
    if not user_namespaces_work():
        pytest.skip("this kernel or container refuses user namespaces")
    run_as("other_user", tmp_path)
    assert run_as("user_namespace", tmp_path)[-1].endswith(" 4")
    assert run_as("other_user", tmp_path)[-1].endswith(" 6")


@needs_root
def test_an_ordinary_user_has_a_server_of_its_own() -> None:
    program = find_postgres().postgres
    if not readable_to(NOBODY, program):
        pytest.skip(f"{program} lies where an ordinary user may not read it")
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        lines = run_as("same_user", Path(folder), become=NOBODY)
    assert lines == ["same-user 65534 1", "same-user 65534 2"]


def readable_to(user: int, program: Path) -> bool:
    try:
        done = subprocess.run(
            [program, "--version"], user=user, group=user, extra_groups=[], check=False
        )
    except OSError:
        return False
    return done.returncode == 0


def user_namespaces_work() -> bool:
    return subprocess.run(["unshare", "-U", "true"], check=False).returncode == 0


@needs_root
def test_root_without_any_of_its_rights_is_told_to_be_somebody_else() -> None:
    code = (
        "from libs.embedded import binaries, identity\n"
        "identity.choose_identity(binaries.find_postgres().postgres)\n"
    )
    done = subprocess.run(
        ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert "run troth as an ordinary user" in done.stderr
