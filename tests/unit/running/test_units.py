"""How `make test` divides the tests, and where they put their folders."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests_support import kept, memory, units

from tools.inventory import ROOT


def items(*nodeids: str) -> list[Any]:
    return [SimpleNamespace(nodeid=nodeid) for nodeid in nodeids]


@pytest.mark.parametrize("unit", units.COSTLY)
def test_every_costly_unit_is_there(unit: str):
    assert (ROOT / unit).exists()
    assert units.unit_of(f"{unit}::test_x" if unit.endswith(".py") else f"{unit}test_up.py") == unit


@pytest.mark.parametrize("name", units.SHARE_AN_INSTALLATION)
def test_every_file_that_shares_the_installation_of_the_commands_is_there(name: str):
    assert (ROOT / units.CLI / name).is_file()


def test_files_of_one_installation_are_one_unit_and_others_are_their_own():
    def unit(file: str) -> str:
        return units.unit_of(f"tests/{file}::test_x[a::b]")

    assert unit("integration/api/test_a.py") == unit("integration/api/test_b.py")
    assert unit("integration/cli/test_up.py") == unit("integration/cli/test_client.py")
    assert unit("integration/cli/test_external.py") == "tests/integration/cli/test_external.py"
    assert unit("unit/common/test_ids.py") == "tests/unit/common/test_ids.py"


def test_the_costliest_come_first_and_a_unit_keeps_its_order():
    short, first, long = "tests/unit/common/test_ids.py", *units.COSTLY[:2]
    given = items(f"{short}::b", f"{long}::b", f"{first}test_z.py::b", f"{long}::a", f"{short}::a")

    units.costliest_first(given)

    assert [item.nodeid for item in given] == [
        f"{first}test_z.py::b", f"{long}::b", f"{long}::a", f"{short}::b", f"{short}::a",
    ]  # fmt: skip


def test_what_would_disturb_its_unit_comes_last_in_it():
    given = items(
        f"{units.COMES_LAST}::a", f"{units.CLI}test_up.py::b", f"{units.CLI}test_up.py::a"
    )

    units.costliest_first(given)

    assert [item.nodeid.rpartition("/")[2] for item in given] == [
        "test_up.py::b", "test_up.py::a", "test_operating.py::a",
    ]  # fmt: skip


def test_a_place_that_is_not_there_is_not_used(tmp_path: Path):
    assert not memory.fits(tmp_path / "missing")


def test_a_folder_that_the_caller_chose_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(memory, "fits", lambda: True)

    memory.use_it()

    assert tempfile.gettempdir() == str(tmp_path)


@contextmanager
def noted(said: list[str]) -> Iterator[str]:
    said.append("made")
    yield "it"
    said.append("ended")


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ("test_b.py::test_y", ["made"]), ("../cli/test_up.py::test_y", ["made", "ended"]),
        (None, ["made", "ended"]),
    ],
)  # fmt: skip
def test_what_is_kept_ends_when_the_next_test_is_of_another_unit(
    monkeypatch: pytest.MonkeyPatch, after: str | None, said: list[str]
):
    here, happened = units.COSTLY[0], list[str]()
    item: Any = after and SimpleNamespace(nodeid=str(Path(f"{here}{after}")).replace("api/../", ""))
    monkeypatch.setattr(kept, "following", [item])
    found = kept.Kept(lambda: noted(happened))

    assert list(found.for_module(f"{here}test_a.py")) == ["it"]

    assert happened == said


def test_what_was_ended_is_made_anew():
    happened = list[str]()
    found = kept.Kept(lambda: noted(happened))

    for _ in range(2):
        assert list(found.for_module(units.COSTLY[0])) == ["it"]
        found.end()

    assert happened == ["made", "ended"] * 2
