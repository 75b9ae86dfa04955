"""`tests`: cases that a workflow carries, with mocked steps and what is expected."""

from collections.abc import Iterable, Mapping
from typing import Any

from libs.language.check_context import Fields
from libs.language.check_values import report_error, report_leaves
from libs.language.document import TestCase
from libs.language.errors import ExpressionError
from libs.language.source import Path
from libs.language.templates import compile_value

TESTS_MAX = 100
TEST_NAME_CHARS_MAX = 200
TEST_KEYS = ("name", "input", "vars", "mocks", "expect")
EXPECT_KEYS = ("output", "outcome", "error", "steps", "effects")
EXPECTED_ERROR_KEYS = ("type", "message", "step", "path", "attempts", "status")  # no time
OUTCOMES = ("succeeded", "failed", "cancelled")
EFFECTS_MAX = 1000
CLOCK = "1970-01-01T00:00:00Z"


def cases_at(fields: Fields) -> tuple[TestCase, ...]:
    """The cases. They are data: no expression is evaluated in them, `$${{` is a written `${{`."""
    cases: list[TestCase] = []
    names: set[str] = set()
    for index, raw in enumerate(fields.items("tests", TESTS_MAX)):
        path = (*fields.at("tests"), index)
        if not isinstance(raw, dict):
            detail = "a test is an object with `name`, `input` and `expect`"
            fields.report.problem(path, "block-shape", detail, see="tests")
            continue
        case = case_at(Fields(fields.context, path, raw))
        if case is None:
            continue
        if case.name in names:
            detail = f"another test is named {case.name!r}"
            fields.report.problem((*path, "name"), "name-taken", detail, see="tests")
        names.add(case.name)
        cases.append(case)
    return tuple(cases)


def case_at(fields: Fields) -> TestCase | None:
    """One case; without `input` it starts with `{}`."""
    fields.only(TEST_KEYS)
    if "name" not in fields:
        fields.missing("name", "what the test shows")
    name = fields.words("name", TEST_NAME_CHARS_MAX)
    if "expect" not in fields:
        fields.missing("expect", f"one or more of {', '.join(EXPECT_KEYS)}")
    given = data_at(fields, "input") if "input" in fields else {}
    variables = object_at(fields, "vars")
    mocks = object_at(fields, "mocks")
    known_steps(fields, "mocks", mocks)
    expect = expect_at(fields)
    return None if name is None else TestCase(name, given, variables, mocks, expect)


def expect_at(fields: Fields) -> Mapping[str, Any]:
    """`expect: {output, outcome, error, steps, effects}`; what is not named is not compared."""
    inner = fields.inner("expect")
    if inner is None:
        return {}
    inner.only(EXPECT_KEYS)
    if not inner.value:
        detail = f"`expect` names nothing to compare: one or more of {', '.join(EXPECT_KEYS)}"
        inner.report.problem(inner.path, "too-few", detail, see="tests")
    inner.one_of("outcome", OUTCOMES)
    error = inner.inner("error")
    if error is not None:
        error.only(EXPECTED_ERROR_KEYS)
    steps = inner.inner("steps")
    if steps is not None:
        known_steps(inner, "steps", steps.value)
    for index, effect in enumerate(inner.items("effects", EFFECTS_MAX)):
        each = Fields(fields.context, (*inner.at("effects"), index), effect)
        if not isinstance(effect, dict) or not isinstance(effect.get("step"), str):
            detail = "an expected effect is an object with `step`, the id of the step that has it"
            inner.report.problem(each.path, "block-shape", detail, see="tests")
        else:
            known_step(each, each.at("step"), effect["step"], of_key=False)
    found = data_at(fields, "expect")
    return found if isinstance(found, dict) else {}


def known_steps(fields: Fields, key: str, ids: Iterable[str]) -> None:
    """The keys of an object are ids of steps."""
    for step_id in ids:
        known_step(fields, (*fields.at(key), step_id), step_id, of_key=True)


def known_step(fields: Fields, path: Path, step_id: str, *, of_key: bool) -> None:
    """Say if no step of the document has this id."""
    taken = fields.context.taken
    if step_id not in taken:
        detail = f"no step of this document has the id {step_id!r}"
        fields.report.problem(
            path, "unknown-step", detail, see="tests", of_key=of_key, found=step_id, near=taken
        )


def object_at(fields: Fields, key: str) -> Mapping[str, Any]:
    """An object of data, {} if there is none."""
    if fields.inner(key) is None:
        return {}
    found = data_at(fields, key)
    return found if isinstance(found, dict) else {}


def data_at(fields: Fields, key: str) -> Any:
    """A value in which no expression stands; None if one does."""
    raw = fields.value[key]
    try:
        value = compile_value(raw, "")
    except ExpressionError as error:
        if not report_leaves(fields.context, fields.at(key), raw, secrets=False):
            report_error(fields.context, fields.at(key), "", error)
        return None
    if not value.is_constant:
        detail = f"`{key}` of a test is data; no expression is evaluated in it"
        fields.report.problem(fields.at(key), "expression-not-here", detail, see="tests")
        return None
    return value.evaluate({}, CLOCK)
