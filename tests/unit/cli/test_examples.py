"""The files in examples/ are workflows that can be published."""

from pathlib import Path

import pytest

from cli.init import TEMPLATE
from libs.language.check import HTTP_REQUEST, Known, check, explain
from libs.language.check_kinds import STEP_KINDS
from libs.language.check_triggers import TRIGGER_KINDS
from libs.language.source import read_document

SETTINGS = ("concurrency", "debounce", "rate", "priority", "budget", "timeout")
EXAMPLES = Path(__file__).parents[3] / "examples"
KNOWN = Known(
    connectors={HTTP_REQUEST.name: HTTP_REQUEST},
    secrets=frozenset({"dependency_review"}),
    variables=frozenset({"receiver", "source"}),
    publishing=True,
)


def documents():
    return [read_document(file.read_text(), "yaml").value for file in EXAMPLES.glob("*.yaml")]


def keys_in(value):
    """Every key, however deep."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_in(inner)


@pytest.mark.parametrize("key", [
    *STEP_KINDS, *TRIGGER_KINDS, *SETTINGS, "undo", "on_error", "tests", "retry", "detached",
])  # fmt: skip
def test_every_block_trigger_and_setting_is_in_an_example(key):
    assert any(key in keys_in(document) for document in documents())


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.stem)
def test_an_example_passes_the_checker_and_is_named_as_its_file(file):
    text = file.read_text()

    checked = check(read_document(text, "yaml"), known=KNOWN)

    assert [explain(problem, text, file.name) for problem in checked.problems] == []
    assert checked.document is not None
    assert checked.document.name == file.stem


def test_an_example_warns_only_of_an_address_without_signature():
    for file in EXAMPLES.glob("*.yaml"):
        checked = check(read_document(file.read_text(), "yaml"), known=KNOWN)
        wanted = {"verify-none"} if file.stem == "hello" else set()
        assert {warning.rule for warning in checked.warnings} == wanted, file.name


def test_what_init_writes_is_the_hello_example():
    assert TEMPLATE.read_text() == (EXAMPLES / "hello.yaml").read_text()
