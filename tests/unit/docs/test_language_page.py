"""The language reference shows every part and key of the schema, each in an example that checks."""

import re
from typing import Any

import pytest

from libs.language.check import explain
from libs.language.check_editor_schema import workflow_schema
from libs.language.source import read_document
from tests.unit.language.judging import judged
from tools.docs.language import PARTS, keys_of, language_page
from tools.docs.language_examples import example
from tools.inventory import ROOT

SCHEMA = workflow_schema()
OBJECTS = [name for name, part in SCHEMA["$defs"].items() if "properties" in part]
SEE = re.compile(r'see="([a-z-]+)"')


def keys_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for part in value.values() for key in keys_in(part)}
    if isinstance(value, list):
        return {key for part in value for key in keys_in(part)}
    return set()


def test_every_object_of_the_language_has_its_section():
    assert sorted(PARTS) == sorted(["document", *OBJECTS])


@pytest.mark.parametrize("part", PARTS)
def test_an_example_of_the_reference_passes_the_check(part: str):
    text = example(part)

    found = judged(text)

    assert [explain(problem, text, part) for problem in found.problems] == []
    assert [w.rule for w in found.warnings if w.rule != "verify-none"] == []


@pytest.mark.parametrize("part", PARTS)
def test_an_example_shows_every_key_of_its_part(part: str):
    schema = SCHEMA if part == "document" else SCHEMA["$defs"][part]
    wanted = {key.rpartition(".")[2] for key, _, _ in keys_of(schema)}

    assert wanted - keys_in(read_document(example(part), "yaml").value) == set()


def test_what_problems_point_to_is_a_heading_of_the_page():
    headings = {
        line.removeprefix("## ").lower().replace(" ", "-")
        for line in language_page().splitlines()
        if line.startswith("## ")
    }
    pointed = {
        see
        for file in (ROOT / "libs" / "language").glob("*.py")
        for see in SEE.findall(file.read_text())
    }

    assert pointed
    assert pointed - headings == set()
