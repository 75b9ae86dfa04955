"""What expressions accept, what they give, what they refuse and how they say it."""

from typing import Any

import pytest

from libs.language import ExpressionError, compile_expression

NOW = "2026-03-01T12:00:00.000Z"
SCOPE: dict[str, Any] = {
    "input": {
        "name": "Ona",
        "amount": 12.5,
        "count": 3,
        "empty": None,
        "paid": True,
        "from": "Vilnius",
        "lines": [{"sku": "a", "price": 2}, {"sku": "b", "price": 0.5}],
        "kaina": 1,
        "įmonė": "UAB",
    },
    "route": {},
}

ACCEPTED = [
    ("1", 1),
    ("-9223372036854775808", -(2**63)),
    ("1.5e3", 1500.0),
    ("'it\\'s'", "it's"),
    ('"\\u0105"', "ą"),
    ("[1, 'a', true, null]", [1, "a", True, None]),
    ('{"a": {"b": 1}}', {"a": {"b": 1}}),
    ("{input.name: 1}", {"Ona": 1}),
    ("input.name", "Ona"),
    ('input["from"]', "Vilnius"),
    ("input.įmonė", "UAB"),
    ("input.lines[0].sku", "a"),
    ("input.lines[-1]['sku']", "b"),
    ("input.name[1:]", "na"),
    ("input.lines[5:9]", []),
    ("input.name[:-1]", "On"),
    ("1 + 2 * 3 - 4", 3),
    ("7 / 2", 3.5),
    ("6 / 2", 3.0),
    ("7 // 2", 3),
    ("-7 // 2", -4),
    ("-7 % 3", 2),
    ("7.5 // 2", 3.0),
    ("-input.count", -3),
    ("'a' + 'b'", "ab"),
    ("[1] + [2]", [1, 2]),
    ("1 == 1.0", True),
    ("1 == true", False),
    ("0 == false", False),
    ("[1, {'a': 1}] == [1.0, {'a': 1.0}]", True),
    ("[true] == [1]", False),
    ("{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", True),
    ("'1' != 1", True),
    ("null == input.empty", True),
    ("9007199254740993 == 9007199254740992.0", False),
    ("1 in [1.0]", True),
    ("1 in [true]", False),
    ("[1] in [[1.0]]", True),
    ("'name' in input", True),
    ("'na' in input.name", True),
    ("'x' not in input", True),
    ("1 < 2 <= 2 < 3", True),
    ("1 < 0 < 1/0", False),
    ("'A' < 'a'", True),
    ("true and not false", True),
    ("false and 1/0 == 1", False),
    ("true or 1/0 == 1", True),
    ("1 if input.paid else 1/0", 1),
    ("[l.price * 2 for l in input.lines if l.price > 1]", [4]),
    ("[x + y for x in range(2) for y in range(x + 1)]", [0, 1, 2]),
    ("{l.sku: l.price for l in input.lines}", {"a": 2, "b": 0.5}),
    ("[[y for y in range(x)] for x in range(3)]", [[], [0], [0, 1]]),
    ("[x for x in [1]] + [x for x in [2]]", [1, 2]),
    ("sum(l.price for l in input.lines)", 2.5),
    ("(1 +\n  2)", 3),
    ("1 +\n  2", 3),
    ("has(input.lines[0].sku)", True),
    ("has(input.lines[2])", False),
    ("has(input.name.x)", False),
    ("has(route.ok.x)", False),
    ("has(input)", True),
    ("now()", NOW),
    ('{"x": 1}.x', 1),
    ('"}}"', "}}"),
    ("input.count if 0.1 + 0.2 > 0.3 else null", 3),
]


@pytest.mark.parametrize(("text", "expected"), ACCEPTED)
def test_an_expression_gives_its_value_with_its_type(text: str, expected: Any) -> None:
    given = compile_expression(text).evaluate(SCOPE, NOW)
    assert given == expected
    assert repr(given) == repr(expected)


REFUSED = [
    ("input.from", "expression-keyword-key", 7),
    ("[l.class for l in input.lines]", "expression-keyword-key", 4),
    ("True", "expression-literal", 1),
    ("1 == None", "expression-literal", 6),
    ("input.name.lower()", "expression-method", 1),
    ("(lambda: 1)()", "expression-method", 1),
    ("f'{input}'", "expression-not-allowed", 1),
    ("b'a'", "expression-not-allowed", 1),
    ("'''a'''", "expression-not-allowed", 1),
    ("9**9", "expression-not-allowed", 1),
    ("{1, 2}", "expression-not-allowed", 1),
    ("{1 for x in [1]}", "expression-not-allowed", 1),
    ("(y := 1)", "expression-not-allowed", 2),
    ("[*input.lines]", "expression-not-allowed", 2),
    ("len(*input.lines)", "expression-not-allowed", 1),
    ("{**input}", "expression-not-allowed", 1),
    ("input.empty is null", "expression-not-allowed", 1),
    ("1 @ 2", "expression-not-allowed", 1),
    ("1 | 2", "expression-not-allowed", 1),
    ("~1", "expression-not-allowed", 1),
    ("+1", "expression-not-allowed", 1),
    ("(1, 2)", "expression-not-allowed", 1),
    ("input.name[::2]", "expression-not-allowed", 14),
    ("lambda: 1", "expression-not-allowed", 1),
    ("(x for x in [1])", "expression-not-allowed", 1),
    ("[a for a, b in [[1, 2]]]", "expression-not-allowed", 8),
    ("[x async for x in [1]]", "expression-not-allowed", 14),
    ("round(1, digits=2)", "expression-not-allowed", 1),
    ("__import__", "expression-not-allowed", 1),
    ("input.__class__", "expression-not-allowed", 1),
    ("[_ for _ in [1]]", "expression-not-allowed", 8),
    ("lenn(input)", "unknown-function", 1),
    ("print(1)", "unknown-function", 1),
    ("len()", "expression-arguments", 1),
    ("len(1, 2)", "expression-arguments", 1),
    ("has(1 + 1)", "expression-arguments", 5),
    ("has(input.name[1:])", "expression-arguments", 5),
    ("[input for input in [1]]", "name-taken", 12),
    ("[x for x in x]", "name-taken", 8),
    ("[[x for x in [1]] for x in [2]]", "name-taken", 9),
    ("[route for route in [1]] + [route]", "name-taken", 12),
    ("[sum for sum in [1]]", "name-reserved", 10),
    ("[item for item in [1]]", "name-reserved", 11),
    ("[true for true in [1]]", "name-reserved", 11),
    ("9223372036854775808", "number-too-large", 1),
    ("1e999", "number-too-large", 1),
    ("9223372036854775807 + 1", "number-too-large", 1),
    ("1e308 * 10", "number-too-large", 1),
    ("-(-9223372036854775807 - 1)", "number-too-large", 1),
    ("1 / 0", "division-by-zero", 1),
    ("1.0 // 0.0", "division-by-zero", 1),
    ("1 % 0", "division-by-zero", 1),
    ("input.nmae", "missing-key", 7),
    ("input['x']", "missing-key", 7),
    ("input.lines[2]", "index-out-of-range", 13),
    ("input.lines[-3]", "index-out-of-range", 13),
    ("inptu.name", "unknown-name", 1),
    ("len", "unknown-name", 1),
    ("secret.api", "unknown-name", 1),
    ("true + 1", "expression-type", 1),
    ("'a' + 1", "expression-type", 1),
    ("'a' * 3", "expression-type", 1),
    ("-true", "expression-type", 1),
    ("not 1", "expression-type", 5),
    ("1 and true", "expression-type", 1),
    ("true and 1", "expression-type", 10),
    ("1 if 1 else 2", "expression-type", 6),
    ("[x for x in [1] if x]", "expression-type", 20),
    ("[x for x in input]", "expression-type", 13),
    ("[x for x in 'abc']", "expression-type", 13),
    ("1 < true", "expression-type", 1),
    ("1 < 'a'", "expression-type", 1),
    ("[1] < [2]", "expression-type", 1),
    ("1 in 'a'", "expression-type", 1),
    ("1 in 2", "expression-type", 1),
    ("1 in input", "expression-type", 1),
    ("input.name.x", "expression-type", 12),
    ("input.empty.x", "expression-type", 13),
    ("input.lines['a']", "expression-type", 13),
    ("input.lines[true]", "expression-type", 13),
    ("input[0]", "expression-type", 7),
    ("input.lines['a':]", "expression-type", 1),
    ("{1: 2}", "expression-type", 2),
    ("", "expression-syntax", 1),
    ("   ", "expression-syntax", 1),
    ("1 +", "expression-syntax", 4),
    ("1 ~ 2", "expression-syntax", 3),
    ("1) + (2", "expression-syntax", 2),
    ("'abc", "expression-syntax", 1),
    ("'\\d'", "expression-syntax", 2),
    ("'a\nb'", "expression-syntax", 1),
    ("1 # one", "expression-syntax", 3),
    ("0x10", "expression-syntax", 1),
    ("1_000", "expression-syntax", 1),
    ("1if true else 2", "expression-syntax", 1),
    ("'\\ud800'", "expression-syntax", 1),
    ("input.\ufb01", "expression-syntax", 7),
    ("a\0b", "expression-syntax", 2),
    ("'\ud800'", "expression-syntax", 2),
]


@pytest.mark.parametrize(("text", "code", "column"), REFUSED)
def test_what_is_wrong_is_refused_with_code_and_column(text: str, code: str, column: int) -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_expression(text).evaluate(SCOPE, NOW)
    assert (refused.value.code, refused.value.column) == (code, column)
    assert refused.value.message


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("lenn(input)", "len"),
        ("inptu.name", "input"),
        ("input.cuont", "count"),
        ("input.from", '["from"]'),
        ("True", "true"),
        ("input.name.lower()", "lower(x)"),
        ("input.name.frobnicate()", None),
        ("sort_by(input.lines, 'prices')", "price"),
    ],
)
def test_an_error_says_what_was_probably_meant(text: str, meant: str | None) -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_expression(text).evaluate(SCOPE, NOW)
    assert refused.value.did_you_mean == meant


def test_a_missing_key_lists_up_to_eight_keys_that_are_there() -> None:
    scope = {"input": {f"key{at}": at for at in range(20)}}
    with pytest.raises(ExpressionError) as refused:
        compile_expression("input.nothing").evaluate(scope, NOW)
    assert "key7 and 12 more" in refused.value.message
    assert "key8" not in refused.value.message


def test_a_type_error_says_what_was_there() -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_expression("1 + input.name").evaluate(SCOPE, NOW)
    assert refused.value.found == "text"
    assert "an integer + a text" in refused.value.message


def test_columns_count_characters_and_lines_before_it() -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_expression("'ąčę' +\n  input.x").evaluate(SCOPE, NOW)
    assert refused.value.column == 17
