"""Every test, file, command and route that the pages for auditors name is there."""

import json
import re
import shlex
from pathlib import Path

import click
import pytest

from cli.main import COMMANDS, main
from tools.inventory import ROOT

FOLDER = ROOT / "docs" / "trust"
PAGES = sorted(FOLDER.glob("*.md"))
CODE = re.compile(r"`([^`\n]+)`")
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.S | re.M)
PATH = re.compile(r"(?:services|libs|cli|tools|tests|benchmarks|deploy|docs|examples)/[\w./-]+")
ROUTE = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/\S+)")
OPTION = re.compile(r"^--[a-z-]+")
LINES = range(40, 91)
each = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def named(page: Path) -> list[str]:
    """What stands in backticks; a name that a line breaks is none, and seen by nobody."""
    return CODE.findall(BLOCK.sub("", page.read_text()))


def commands(page: Path) -> list[list[str]]:
    text = page.read_text()
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    return [shlex.split(one) for one in (*lines, *named(page)) if one.startswith("troth ")]


@each
def test_a_page_is_read_in_one_sitting(page: Path):
    text = page.read_text()

    assert len(text.splitlines()) in LINES
    assert "does not promise" in text


@each
def test_every_test_that_is_named_is_there(page: Path):
    missing = []
    for name in named(page):
        file, found, test = name.partition("::")
        if found and f"def {test}(" not in (ROOT / file).read_text():
            missing.append(name)

    assert missing == []


@each
def test_every_file_and_folder_that_is_named_is_there(page: Path):
    paths = [name.partition("::")[0] for name in named(page) if PATH.match(name)]

    assert [path for path in paths if not (ROOT / path).exists()] == []


@each
def test_every_route_that_is_named_is_there(page: Path):
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    routes = {(verb.upper(), path) for path, verbs in paths.items() for verb in verbs}
    named_here = {found for name in named(page) for found in ROUTE.findall(name)}

    assert named_here - routes == set()


@each
def test_every_command_that_is_named_is_there_with_its_options(page: Path):
    verifier = (ROOT / "cli" / "audit_verify.py").read_text()
    for words in commands(page):
        assert words[1] in COMMANDS, words
        command, rest = main, words[1:]
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            command = command.get_command(click.Context(command), rest[0])
            assert command is not None, words
            rest = rest[1:]
        known = {option for one in command.params for option in one.opts}
        given = [OPTION.findall(word)[0] for word in rest if OPTION.match(word)]
        if words[1:3] == ["audit", "verify"]:
            assert all(f'"{option}"' in verifier for option in given), words
            assert not rest or f'"{rest[0]}"' in verifier, words
        else:
            assert set(given) <= known, words


@each
def test_every_target_of_make_that_is_named_is_there(page: Path):
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    lines = [line for block in BLOCK.findall(page.read_text()) for line in block.splitlines()]
    asked = [one.split()[1] for one in (*lines, *named(page)) if one.startswith("make ")]

    assert set(asked) <= set(targets)


def test_every_page_is_in_the_index_and_something_is_looked_at():
    index = (FOLDER / "README.md").read_text()

    assert [
        page.name for page in PAGES if page.name != "README.md" and page.name not in index
    ] == []
    assert len(PAGES) == 11
    assert sum("::" in name for page in PAGES for name in named(page)) > 80
    assert sum(len(commands(page)) for page in PAGES) > 8
