"""Values with expressions in their texts: what they give, and secrets that stay references."""

from typing import Any

import pytest

from libs.language import (
    ExpressionError,
    Hole,
    compile_value,
    fill_secrets,
    note_versions,
    split_template,
)

NOW = "2026-03-01T12:00:00.000Z"
SCOPE: dict[str, Any] = {
    "input": {"n": 3, "f": 1.5, "t": "text", "z": None, "l": [1, "a"], "o": {"k": None}, "b": True},
}


def evaluate(value: Any, *, secrets: bool = False) -> Any:
    return compile_value(value, "", secrets_allowed=secrets).evaluate(SCOPE, NOW)


def refusal(value: Any, *, secrets: bool = False) -> ExpressionError:
    with pytest.raises(ExpressionError) as refused:
        evaluate(value, secrets=secrets)
    return refused.value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        (12, 12),
        (None, None),
        ("${{ input.n }}", 3),
        ("  ${{ input.l }}\n", [1, "a"]),
        ("${{ input.z }}", None),
        ("n=${{ input.n }} f=${{ input.f }} b=${{ input.b }}", "n=3 f=1.5 b=true"),
        ("${{ input.n }}${{ input.n }}", "33"),
        ("l=${{ input.l }} o=${{ input.o }}", 'l=[1,"a"] o={"k":null}'),
        ("$${{ x }}", "${{ x }}"),
        ("$$${{ x }}", "$${{ x }}"),
        ("a $${{ ${{ input.n }}", "a ${{ 3"),
        ('${{ {"a": {"b": 1}} }}', {"a": {"b": 1}}),
        ('${{ "}}" }}', "}}"),
        ("${{ '\\'}}' }}", "'}}"),
        ("${{ [1, 2][0] }}", 1),
        ("$ {{ x }}", "$ {{ x }}"),
        ("}} ${{ 1 }} }}", "}} 1 }}"),
        ({"a": ["${{ input.n }}", {"b": "x${{ input.t }}"}]}, {"a": [3, {"b": "xtext"}]}),
        (["plain", {"c": "$${{"}], ["plain", {"c": "${{"}]),
        ("${{ '${' + '{ 1 }}' }}", "${{ 1 }}"),
    ],
)
def test_a_value_gives(value: Any, expected: Any) -> None:
    assert repr(evaluate(value)) == repr(expected)


@pytest.mark.parametrize(
    ("value", "code", "where", "start", "column"),
    [
        ("x ${{ input.a", "expression-not-closed", "", 2, 1),
        ("${{ (1 }}", "expression-not-closed", "", 0, 1),
        ("x ${{ input.z }}", "null-in-text", "", 5, 2),
        ({"a/b": ["x", "y ${{ 1 + }}"]}, "expression-syntax", "/a~1b/1", 5, 6),
        ({"a": "${{ input.q }}"}, "missing-key", "/a", 3, 8),
        ({"${{ input.t }}": 1}, "expression-in-key", "/${{ input.t }}", None, None),
        ("${{ secret.api }}", "secret-not-here", "", 3, 2),
        ("${{ secret.api + 'x' }}", "secret-in-expression", "", 3, 2),
    ],
)
def test_an_error_says_where_in_the_value_it_is(
    value: Any, code: str, where: str, start: int | None, column: int | None
) -> None:
    error = refusal(value)
    assert (error.code, error.where, error.start, error.column) == (code, where, start, column)


@pytest.mark.parametrize(
    "text",
    [
        *("base64(secret.api)", "[secret.api]", "secret", "secret.a.b", "has(secret.a)"),
        *("secret[now()]", "secret.api + 'x'", "secret.api if true else 1"),
    ],
)
def test_a_secret_stands_in_no_larger_expression(text: str) -> None:
    assert refusal(f"${{{{ {text} }}}}", secrets=True).code == "secret-in-expression"


def test_a_secret_is_given_as_a_reference_and_filled_in_by_its_place() -> None:
    value = compile_value(
        {
            "headers": [{"authorization": "Bearer ${{ secret.api }}/${{ input.n }}"}],
            "key": "${{ secret.key }}",
            "both": "${{ secret.a }}${{ secret.b }}",
        },
        "/with",
        secrets_allowed=True,
    )
    given = value.evaluate(SCOPE, NOW)
    assert given == {
        "headers": [{"authorization": {"$template": ["Bearer ", {"$secret": "api"}, "/3"]}}],
        "key": {"$secret": "key"},
        "both": {"$template": [{"$secret": "a"}, {"$secret": "b"}]},
    }
    assert value.secrets == {"api", "key", "a", "b"}
    assert value.names == {"input"}
    assert fill_secrets(given, value.secret_places, str.upper) == {
        "headers": [{"authorization": "Bearer API/3"}],
        "key": "KEY",
        "both": "AB",
    }
    assert given["key"] == {"$secret": "key"}


def test_a_reference_tells_the_version_that_is_used_and_is_filled_in_as_before() -> None:
    value = compile_value(
        {"key": "${{ secret.key }}", "text": "${{ secret.key }}/${{ secret.api }}"},
        "",
        secrets_allowed=True,
    )
    given = value.evaluate({}, NOW)
    noted = note_versions(given, value.secret_places, {"key": 3, "api": 7})
    assert noted == {
        "key": {"$secret": "key", "version": 3},
        "text": {
            "$template": [
                {"$secret": "key", "version": 3},
                "/",
                {"$secret": "api", "version": 7},
            ]
        },
    }
    later = note_versions(noted, value.secret_places, {"key": 4, "api": 7})
    assert later["key"] == {"$secret": "key", "version": 4}
    assert given["key"] == {"$secret": "key"}
    assert fill_secrets(later, value.secret_places, str.upper) == {"key": "KEY", "text": "KEY/API"}


def test_data_that_looks_like_a_reference_stays_data() -> None:
    value = compile_value(
        {"json": "${{ input }}", "key": "${{ secret.key }}"}, "", secrets_allowed=True
    )
    given = value.evaluate({"input": {"x": {"$secret": "admin"}}}, NOW)
    given = note_versions(given, value.secret_places, {"key": 1})
    filled = fill_secrets(given, value.secret_places, str.upper)
    assert filled == {"json": {"x": {"$secret": "admin"}}, "key": "KEY"}


def test_a_result_that_looks_like_an_expression_stays_text() -> None:
    scope = {"input": "${{ vars.x }}"}
    assert compile_value("${{ input }}!", "").evaluate(scope, NOW) == "${{ vars.x }}!"


def test_a_value_knows_its_expressions_in_order() -> None:
    value = compile_value({"a": "${{ x.y }} ${{ z }}", "b": ["${{ z }}", "plain"]}, "/with")
    texts = [(where, expression.text.strip()) for where, expression in value.expressions]
    assert texts == [("/with/a", "x.y"), ("/with/a", "z"), ("/with/b/0", "z")]
    assert value.names == {"x", "z"}
    assert not value.is_constant
    assert compile_value({"a": "$${{ x }}"}, "").is_constant


def test_a_text_is_split_into_literals_and_expressions() -> None:
    assert split_template("a ${{ b }}$${{ c }}") == ["a ", Hole(" b ", 5), "${{ c }}"]
    assert split_template("") == []
    assert split_template("${{ {'}}': 1} }}") == [Hole(" {'}}': 1} ", 3)]


def test_a_value_nested_without_end_is_refused() -> None:
    value: Any = "x"
    for _ in range(100):
        value = [value]
    assert refusal(value).code == "value-too-deep"
