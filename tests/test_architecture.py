"""Rules of the house that no type checker knows: a rule that matters is a test, not a paragraph."""

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Column, Table

from libs.common.fields import DataClass, Meaning, bare_fields
from libs.common.inventory import columns_of, leaves_of
from services.gateway.catalogue import CATALOGUE
from services.identity.contract import PERMISSIONS
from tools import inventory

ROOT = inventory.ROOT
CODE = ("libs", "services", "cli", "tools", "tests", "benchmarks")
LINES_MAX = 300
ALWAYS_SEALED = frozenset(
    {DataClass.DIRECT, DataClass.FREE_TEXT, DataClass.SECRET, DataClass.SPECIAL}
)
# Columns of a class that is sealed everywhere else, each with the reason why these are not.
STORED_CLEAR = {
    "identity.passwords.hash": "a password is stored as its hash under a pepper, never opened",
}
OF_THE_OPERATOR = frozenset({"instance"})  # no role has it: whoever runs the installation
HTTP_CLIENTS = frozenset(
    {"httpx", "httpcore", "requests", "aiohttp", "urllib3", "urllib.request", "http.client"}
)
MAY_CALL_OUT = ("libs/egress/", "cli/", "tests/", "benchmarks/")
ONLY_FOR_TESTS = ("tests", "pytest", "hypothesis", "unittest", "libs.common.testing",
                  "libs.embedded.testing")  # fmt: skip
REGISTRIES = ("pypi" + ".org", "python" + "hosted", "registry." + "npmjs", "proxy." + "golang",
              "crates" + ".io")  # fmt: skip
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:" + "work|root" + r")/|/home/\w|/Users/\w")
TEXTS = frozenset(
    {".py", ".md", ".toml", ".sql", ".yaml", ".yml", ".json", ".lock", ".txt", ".conf", ".env",
     ".html", ".css", ".js", ".sh", ""}
)  # fmt: skip
LEFT_OUT = frozenset(
    {".git", ".venv", ".troth", ".troth-demo", "build",
     "dist", "node_modules", "__pycache__", ".hypothesis",
     ".pytest_cache", ".ruff_cache", ".import_linter_cache"}
)  # fmt: skip


def python_files(*folders: str) -> list[Path]:
    return [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]


def named(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@cache
def read(file: Path) -> tuple[str | None, tuple[str, ...]]:
    """Its docstring, and full names of what it imports, wherever in it."""
    tree, names = ast.parse(file.read_text()), list[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return ast.get_docstring(tree), tuple(names)


def imports_of(file: Path) -> tuple[str, ...]:
    return read(file)[1]


def below(name: str, packages: frozenset[str] | tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


# -- what every value is about -----------------------------------------------------------------


def test_every_field_of_every_message_says_what_it_is_about():
    bare = [
        field
        for model in inventory.messages()
        if not model.__pydantic_generic_metadata__["parameters"]
        for field in bare_fields(model)
    ]

    assert bare == []


def test_an_event_holds_personal_data_and_secrets_only_sealed():
    clear = [
        f"{kind.type}: {leaf.path} is {leaf.meaning.data_class} and not sealed"
        for kind in inventory.events()
        for leaf in leaves_of(kind)
        if _must_be_sealed(leaf.meaning)
    ]

    assert clear == []


def every_column() -> list[tuple[str, Table, Column[object]]]:
    return [
        (f"{service}.{table.name}.{column.name}", table, column)
        for service, table in inventory.tables()
        for column in table.columns
    ]


def test_every_column_says_what_it_is_about():
    assert [name for name, _, c in every_column() if "meaning" not in c.info] == []
    assert sum(len(columns_of(table)) for _, table in inventory.tables()) >= len(every_column())


def test_every_record_has_a_rule_of_retention_and_every_leaf_all_that_is_asked_of_it():
    """Raises with the record's or the leaf's name; tests/unit/inventory shows that it does."""
    assert len(inventory.places()) > 150


def test_what_is_sealed_in_events_is_stored_clear_in_no_table():
    clear = {
        name
        for name, _, column in every_column()
        if _must_be_sealed(column.info.get("meaning"))
    }  # fmt: skip

    assert clear == set(STORED_CLEAR)


def _must_be_sealed(meaning: Meaning | None) -> bool:
    return meaning is not None and meaning.data_class in ALWAYS_SEALED and not meaning.sealed


# -- names and permissions ---------------------------------------------------------------------


def kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def test_an_event_is_called_as_its_class():
    wrong = [
        (kind.__name__, kind.type)
        for kind in inventory.events()
        if not re.fullmatch(rf"[a-z]+\.event\.{kebab(kind.__name__)}", kind.type)
    ]

    assert wrong == []


def test_an_event_stands_in_the_contract_of_the_service_it_is_named_after():
    wrong = [
        (kind.type, kind.__module__)
        for kind in inventory.events()
        if kind.__module__.startswith("services.")
        and not below(kind.__module__, (f"services.{kind.type.partition('.')[0]}.contract",))
    ]

    assert wrong == []


def test_a_command_or_query_is_called_as_its_class():
    wrong = [
        (ask.__name__, ask.type)
        for ask in inventory.asks()
        if not re.fullmatch(r"[a-z]+\.(command|query)\.[a-z0-9-]+", ask.type)
    ]

    assert wrong == []


def test_every_permission_that_is_asked_for_can_be_had():
    needed = {ask.type: ask.permission for ask in inventory.asks() if ask.permission}

    assert {t: p for t, p in needed.items() if p not in PERMISSIONS | OF_THE_OPERATOR} == {}


def test_every_refusal_has_its_page_among_the_problems():
    assert sorted({error.code for error in inventory.errors()} - set(CATALOGUE)) == []


# -- what may import what ----------------------------------------------------------------------


def test_only_the_egress_guard_has_an_http_client():
    callers = [
        f"{named(file)} imports {name}"
        for file in python_files("libs", "services", "tools")
        for name in imports_of(file)
        if below(name, HTTP_CLIENTS) and not named(file).startswith(MAY_CALL_OUT)
    ]

    assert callers == []


def test_a_service_imports_nothing_that_is_only_for_tests():
    wrong = [
        f"{named(file)} imports {name}"
        for file in python_files("services", "cli", "tools")
        for name in imports_of(file)
        if below(name, ONLY_FOR_TESTS) or "fakes" in name
    ]

    assert wrong == []


WATCHED_IMPORT = """
import sys
def refuse(event, arguments):
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if writes or event in ("socket.connect", "socket.bind", "subprocess.Popen", "os.system",
                           "sqlite3.connect", "os.mkdir", "os.remove"):
        raise SystemExit(f"importing does {event} {arguments[:2]}")
sys.addaudithook(refuse)
from tools.inventory import import_everything
print(len(import_everything()))
"""


def test_importing_the_services_does_nothing():
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nowhere"}

    done = subprocess.run([sys.executable, "-c", WATCHED_IMPORT], cwd=ROOT, env=environment,
                          capture_output=True, text=True, timeout=100)  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


# -- files -------------------------------------------------------------------------------------


def test_a_file_is_read_in_one_sitting():
    lengths = {named(file): len(file.read_text().splitlines()) for file in python_files(*CODE)}
    long = {name: lines for name, lines in lengths.items() if lines > LINES_MAX}

    assert long == {}


def test_every_module_begins_by_saying_what_it_is():
    silent = [named(file) for file in python_files(*CODE) if not read(file)[0]]

    assert silent == []


def test_what_a_check_leaves_out_has_a_reason_beside_it():
    bare = re.compile(r"# (type: ignore|noqa(: [A-Z0-9, ]+)?|pyright: ignore(\[\w+\])?)\s*$")
    silent = [
        f"{named(file)}:{number}"
        for file in python_files(*CODE)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if bare.search(line)
    ]

    assert silent == []


def texts() -> list[Path]:
    found: list[Path] = []
    for folder, inner, files in os.walk(ROOT):
        inner[:] = sorted(name for name in inner if name not in LEFT_OUT)
        found += [Path(folder) / name for name in sorted(files) if Path(name).suffix in TEXTS]
    return found


@pytest.mark.parametrize("what", ["a registry of packages", "a path of one machine"])
def test_no_file_names(what: str):
    words = re.compile("|".join(map(re.escape, REGISTRIES)), re.I)
    pattern = words if "registry" in what else MACHINE_PATHS

    assert [named(f) for f in texts() if pattern.search(f.read_text(errors="replace"))] == []
