"""Every command block of README and CONTRIBUTING runs, in a copy without git-ignored files."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.inventory import ROOT

pytestmark = pytest.mark.timeout(600)
PAGES = ("README.md", "CONTRIBUTING.md")
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.S | re.M)
SETUP_LINK = re.compile(r"(http://127\.0\.0\.1:\d+)/setup\?token=(\S+)")
# Blocks that do not run as they stand, each with the reason and what runs instead.
EXEMPT = {
    "make demo": "runs for itself in tests/integration/demo, with a receiver and a deadline",
    "make up": "never ends: started here as the server of the next block, then stopped",
}
NEEDS_A_SERVER = ".venv/bin/troth login"
PASSWORD = "a quiet long sentence 91"


def blocks(page: str) -> list[str]:
    return [block.strip() for block in BLOCK.findall((ROOT / page).read_text())]


RUNNABLE = [
    pytest.param(page, block, id=f"{page}: {block.splitlines()[0]}")
    for page in PAGES
    for block in blocks(page)
    if block not in EXEMPT and not block.startswith(NEEDS_A_SERVER)
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git would give to somebody else, with the packages of the environment in use."""
    folder = tmp_path_factory.mktemp("fresh") / "troth"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
            _compiled(Path(name), folder)
    _environment_in(folder)
    return folder


def _compiled(name: Path, folder: Path) -> None:
    """What Python made of a file already: it is used only where it is of that very file."""
    made = name.parent / "__pycache__" / f"{name.stem}.{sys.implementation.cache_tag}.pyc"
    if name.suffix == ".py" and (ROOT / made).is_file():
        (folder / made).parent.mkdir(exist_ok=True)
        shutil.copy2(ROOT / made, folder / made)


def _environment_in(folder: Path) -> None:
    """A virtual environment of the copy's own whose packages are those of the one in use."""
    used, own = Path(sys.prefix), folder / ".venv"
    (own / "bin").mkdir(parents=True)
    shutil.copy(used / "pyvenv.cfg", own)
    (own / "lib").symlink_to(used / "lib")
    for program in (used / "bin").iterdir():
        if program.is_file():
            _program(program, own / "bin" / program.name, used, own)
    shutil.copy(folder / "tools" / "troth.sh", own / "bin" / "troth")
    for stamp in (".uv", ".core", ".dev"):
        (own / stamp).touch()


def _program(used: Path, own: Path, environment_in_use: Path, its_own: Path) -> None:
    """A script names its interpreter by path: a copy of it has to name the copy's own."""
    try:
        text = used.read_text()
    except UnicodeDecodeError:
        own.symlink_to(used.resolve())
        return
    own.write_text(text.replace(str(environment_in_use), str(its_own)))
    own.chmod(0o755)


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k.startswith("TROTH_TEST_") or k == "PATH"}
    return kept | {"HOME": str(folder.parent), "TROTH_CONFIG_DIR": str(folder.parent / "config"),
                   "LANG": "C.UTF-8", "PYTHONPATH": str(folder)} | more  # fmt: skip


def run(block: str, folder: Path, **more: str) -> str:
    done = subprocess.run(
        ["sh", "-euc", block], cwd=folder, env=environment(folder, **more),
        capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, f"{block}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.mark.parametrize("program", ["python", "pytest", "troth", "lint-imports"])
def test_a_program_of_the_copy_runs_in_the_copys_environment(program: str, copy: Path):
    """Else the blocks below would show that the checkout of these tests works, not the copy."""
    own = copy / ".venv"
    look = "import sys, cli; print(sys.prefix, *cli.__path__)"

    first = (own / "bin" / program).read_bytes().split(b"\n")[0]

    assert run(f'.venv/bin/python -c "{look}"', copy).split() == [str(own), str(copy / "cli")]
    assert program in ("python", "troth") or first == f"#!{own}/bin/python".encode(), first


@pytest.mark.parametrize(("page", "block"), RUNNABLE)
def test_a_command_block_runs(page: str, block: str, copy: Path):
    run(block, copy)


def test_what_is_exempt_stands_in_a_page():
    """An exemption that nothing needs any more is removed."""
    written = {block for page in PAGES for block in blocks(page)}

    assert set(EXEMPT) <= written


@pytest.fixture
def address(copy: Path) -> Iterator[str]:
    """`make up` in the copy, with its operator set up as the page behind the link does it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = copy.parent / "up.txt"
    with said.open("w") as out:
        server = subprocess.Popen(
            ["make", "up"], cwd=copy, env=environment(copy, UP=f"--port {port}"), stdout=out,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        found = _link(server, said)
        _set_up(found[1], found[2])
        yield found[1]
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def _link(server: "subprocess.Popen[bytes]", said: Path) -> re.Match[str]:
    deadline = time.monotonic() + 120
    while (found := SETUP_LINK.search(said.read_text())) is None:
        assert server.poll() is None, said.read_text()
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.1)
    return found


def _set_up(address: str, token: str) -> None:
    person = {"token": token, "name": "Ada", "email": "ada@example.com", "password": PASSWORD}
    request = urllib.request.Request(
        f"{address}/v1/instance/setup", json.dumps(person).encode(),
        {"content-type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 201


def test_the_first_workflow_of_the_readme_runs_on_make_up(copy: Path, address: str):
    (block,) = [b for b in blocks("README.md") if b.startswith(NEEDS_A_SERVER)]

    said = run(block, copy, TROTH_URL=address, TROTH_PASSWORD=PASSWORD)

    assert "Hello Ada!" in said
    assert "succeeded" in said
