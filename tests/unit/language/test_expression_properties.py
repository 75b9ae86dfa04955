"""Whatever the grammar can write gives JSON or a well-placed error, the same each time."""

import copy
import math
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.language import (
    Expression,
    ExpressionError,
    NeedsWorker,
    compile_expression,
    compile_value,
)
from libs.language.functions import TABLE

NOW = "2026-03-01T12:00:00.000Z"
CODES = {
    *("expression-syntax", "expression-not-allowed", "expression-literal", "expression-method"),
    *("expression-keyword-key", "expression-arguments", "expression-type", "expression-value"),
    *("expression-too-expensive", "unknown-name", "unknown-function", "missing-key"),
    *("index-out-of-range", "division-by-zero", "number-too-large", "name-taken", "name-reserved"),
}
SIGNS = "()[]{}'\"\\.,:+-*/%<>=! \n0123456789abfnrtxu_#@"
NAMES = ["input", "vars", "x", "x", "[1, 2]", "{'a': 'b'}"]
KEYS = ["a", "b", "items", "from", "lines", "_x"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "in", "not in"]
OPERATORS += ["and", "or", "**", "is"]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)
scopes = st.fixed_dictionaries({"input": json_values, "vars": json_values})
literals = st.one_of(
    st.sampled_from(["true", "false", "null", "''", "'a,b'", "'%Y'", "'1d'", "'UTC'", "now()"]),
    st.integers(-3, 2**64).map(str),
    st.floats(0, 1e308).map(str),
)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arguments = st.lists(inner, max_size=3).map(", ".join)
    variable = st.sampled_from(["x", "x", "x", "y", "input", "sum"])
    call = st.sampled_from(sorted(TABLE)).flatmap(
        lambda name: st.tuples(
            st.just(name),
            st.lists(inner, min_size=TABLE[name].arity, max_size=TABLE[name].arity).map(", ".join),
        )
    )
    return st.one_of(
        st.tuples(inner, st.sampled_from(OPERATORS), inner).map(lambda t: f"({' '.join(t)})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} < {t[1]} <= {t[2]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(inner, st.sampled_from(KEYS)).map(lambda t: f"{t[0]}.{t[1]}"),
        st.tuples(inner, inner).map(lambda t: f"{t[0]}[{t[1]}]"),
        st.tuples(inner, inner, inner).map(lambda t: f"{t[0]}[{t[1]}:{t[2]}]"),
        st.tuples(st.sampled_from(["not ", "-"]), inner).map(lambda t: f"({''.join(t)})"),
        arguments.map(lambda t: f"[{t}]"),
        st.tuples(inner, inner).map(lambda t: f"{{{t[0]}: {t[1]}}}"),
        st.tuples(st.sampled_from(["input", "vars.a", "x"]), inner).map(
            lambda t: f"has({t[0]}[{t[1]}])"
        ),
        call.map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, variable, inner).map(lambda t: f"[{t[0]} for {t[1]} in {t[2]}]"),
        st.tuples(inner, variable, inner, inner).map(
            lambda t: f"sum({t[0]} for {t[1]} in {t[2]} if {t[3]})"
        ),
        st.tuples(inner, inner, variable, inner).map(
            lambda t: f"{{{t[0]}: {t[1]} for {t[2]} in {t[3]}}}"
        ),
    )


expressions = st.recursive(st.sampled_from(NAMES) | literals, larger, max_leaves=14)


@settings(max_examples=400, deadline=None)
@given(expressions, scopes)
def test_what_the_grammar_writes_gives_json_or_an_error(text: str, scope: dict[str, Any]) -> None:
    before = copy.deepcopy(scope)
    first, second = outcome(text, scope), outcome(text, scope)
    assert repr(first) == repr(second)
    assert repr(scope) == repr(before)
    check(first, len(text))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text(SIGNS, max_size=40))
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    check(outcome(text, {"a": 1}), len(text))


@settings(max_examples=200, deadline=None)
@given(st.text("${}'\"\\ ab([])", max_size=40))
def test_any_text_is_a_template_or_an_error(text: str) -> None:
    given_back = template_outcome(text, {"a": "A", "b": None})
    if isinstance(given_back, ExpressionError):
        assert given_back.code in CODES | {"expression-not-closed", "null-in-text"}
        assert given_back.where == "/x"
        assert given_back.start is not None
    elif "${{" not in text:
        assert given_back == text


def template_outcome(text: str, scope: dict[str, Any]) -> Any:
    try:
        return compile_value(text, "/x").evaluate(scope, NOW)
    except ExpressionError as error:
        return error


def check(result: Any, length: int) -> None:
    if isinstance(result, ExpressionError):
        assert result.code in CODES
        assert result.message
        if result.code != "expression-too-expensive":
            assert result.column is not None
        if result.column is not None:
            assert 1 <= result.column <= length + 1
        return
    assert is_json(result)
    assert len(msgspec.json.encode(result)) <= 1024 * 1024


def outcome(text: str, scope: dict[str, Any]) -> Any:
    try:
        expression = compile_expression(text)
        whole = expression.evaluate(scope, NOW)
    except ExpressionError as error:
        return error
    assert inline(expression, scope) in (repr(whole), None)
    return whole


def inline(expression: Expression, scope: dict[str, Any]) -> str | None:
    try:
        return repr(expression.evaluate_inline(scope, NOW))
    except NeedsWorker:
        return None


def is_json(value: Any) -> bool:
    if type(value) is list:
        return all(map(is_json, value))
    if type(value) is dict:
        return all(type(key) is str and is_json(each) for key, each in value.items())
    if type(value) is float:
        return math.isfinite(value)
    if type(value) is int:
        return -(2**63) <= value < 2**63
    return value is None or type(value) in (bool, str)
