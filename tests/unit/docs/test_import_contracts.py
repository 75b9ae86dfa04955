"""The import contracts hold, and each of them fails on an import that it forbids."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.inventory import ROOT

LINT = Path(sys.executable).with_name("lint-imports")
PLANTED = [
    ("services/workflows/contract/answers.py", "import services.workflows.app",
     "A service is read from the contract upwards"),
    ("services/executor/walk.py", "import services.executor.engine",
     "The executor is read from the contract upwards"),
    ("services/audit/views.py", "import services.billing.domain",
     "Services meet only in contracts"),
    ("services/gateway/routes/people.py", "import services.identity.views",
     "Services meet only in contracts"),
    ("services/billing/contract.py", "import libs.common.pages", "Contract and domain do no I/O"),
    ("services/identity/domain/person.py", "import asyncio", "Contract and domain do no I/O"),
    ("libs/common/ids.py", "import services.audit.contract", "Libraries know no service"),
    ("services/audit/handlers.py", "import cli.output",
     "Services know neither the command line nor the tools"),
    ("libs/common/service.py", "import tests.tests_support.servers", "Nobody imports tests"),
]  # fmt: skip


def lint(folder: Path) -> tuple[int, str]:
    """With a cache in the copy: a file is read again when it was written again."""
    done = subprocess.run([LINT], cwd=folder, capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code alone, where an import can be planted."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name in ("libs", "services", "cli", "tools", "tests"):
        shutil.copytree(
            ROOT / name, folder / name,
            ignore=lambda at, names: [
                n for n in names if Path(at, n).is_file() and not n.endswith(".py")
            ],
        )  # fmt: skip
    return folder


def test_the_contracts_hold(copy: Path):
    status, said = lint(copy)

    assert status == 0, said


@pytest.mark.parametrize(("file", "line", "contract"), PLANTED, ids=[p[0] for p in PLANTED])
def test_a_forbidden_import_breaks_its_contract(copy: Path, file: str, line: str, contract: str):
    before = (copy / file).read_text()
    (copy / file).write_text(f"{before}\n{line}\n")
    try:
        status, said = lint(copy)
    finally:
        (copy / file).write_text(before)

    assert status == 1, said
    assert f"{contract} BROKEN" in " ".join(said.split())
