"""Every function of the language: what it gives, and how it refuses."""

from typing import Any

import pytest

from libs.language import FUNCTIONS, ExpressionError, compile_expression

NOW = "2026-03-01T12:00:00.000Z"

GIVEN = [
    ("len('ąč')", 2),
    ("len([1, 2])", 2),
    ("len({'a': 1})", 1),
    ("lower('AbĄ')", "abą"),
    ("upper('abą')", "ABĄ"),
    ("trim('  a ')", "a"),
    ("split('a,b,,c', ',')", ["a", "b", "", "c"]),
    ("join(['a', 'b'], '-')", "a-b"),
    ("join([], '-')", ""),
    ("replace('aXbX', 'X', '--')", "a--b--"),
    ("starts_with('abc', 'ab')", True),
    ("ends_with('abc', 'ab')", False),
    ("contains('abc', 'bc')", True),
    ("slice('abcd', 1, 3)", "bc"),
    ("slice([1, 2, 3], 1, 99)", [2, 3]),
    ("text(null)", "null"),
    ("text('a')", "a"),
    ("text(1.0)", "1.0"),
    ("text(true)", "true"),
    ("text({'a': [1, null]})", '{"a":[1,null]}'),
    ("int('-12')", -12),
    ("int(3.0)", 3),
    ("int(7)", 7),
    ("number('1.5')", 1.5),
    ("number('1e2')", 100.0),
    ("number('12')", 12),
    ("number(2)", 2),
    ("round(2.5, 0)", 3),
    ("round(-2.5, 0)", -3),
    ("round(2.675, 2)", 2.68),
    ("round(1234, -2)", 1200),
    ("round(1250, -2)", 1300),
    ("round(5, 2)", 5),
    ("abs(-3)", 3),
    ("floor(-1.5)", -2),
    ("ceil(1.2)", 2),
    ("sum([])", 0),
    ("sum([1, 2.5])", 3.5),
    ("min([3, 1.5])", 1.5),
    ("max(['a', 'b'])", "b"),
    ("sort([3, 1.5, 2])", [1.5, 2, 3]),
    ("sort(['b', 'Z', 'a'])", ["Z", "a", "b"]),
    ("sort([])", []),
    ("sort_by([{'k': 2, 'n': 1}, {'k': 1}, {'k': 2, 'n': 2}], 'k')", "stable"),
    ("reverse([1, 2])", [2, 1]),
    ("unique([1, 1.0, true, '1', [1], [1.0], {'a': 1}, {'a': 1.0}])", "first kept"),
    ("flatten([[1], 2, [[3]]])", [1, 2, [3]]),
    ("range(3)", [0, 1, 2]),
    ("range(0)", []),
    ("zip([1, 2, 3], ['a', 'b'])", [[1, "a"], [2, "b"]]),
    ("keys({'b': 1, 'a': 2})", ["b", "a"]),
    ("values({'b': 1, 'a': 2})", [1, 2]),
    ("items({'b': 1})", [["b", 1]]),
    ("get({'a': 1}, 'a', 0)", 1),
    ("get({'a': 1}, 'b', 0)", 0),
    ("get([5], 0, null)", 5),
    ("get([5], 1, null)", None),
    ("get('abc', -1, null)", "c"),
    ("default(null, 1)", 1),
    ("default(false, 1)", False),
    ("merge({'a': 1, 'b': {'c': 1}}, {'b': {'d': 2}})", {"a": 1, "b": {"d": 2}}),
    ("[type(x) for x in [null, true, 1, 1.5, 'a', [], {}]]", "types"),
    ("to_json('a')", '"a"'),
    ("to_json({'a': 1.5})", '{"a":1.5}'),
    ("from_json('{\"a\": [1, 2.0]}')", {"a": [1, 2.0]}),
    ("base64('ą')", "xIU="),
    ("from_base64('xIU=')", "ą"),
    ("url_encode('a b/ą?')", "a%20b%2F%C4%85%3F"),
    ("sha256('')", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("now()", NOW),
    ("parse_time('03 Jan 2025', '%d %b %Y')", "2025-01-03T00:00:00.000Z"),
    ("parse_time('2025-060 10:30 +0200', '%Y-%j %H:%M %z')", "2025-03-01T08:30:00.000Z"),
    (
        "format_time(now(), '%a %d %b %Y %H:%M:%S %z %j', 'UTC')",
        "Sun 01 Mar 2026 12:00:00 +0000 060",
    ),
    ("format_time(now(), '%H:%M %z', 'Europe/Vilnius')", "14:00 +0200"),
    ("format_time('2026-01-01T00:30:00+02:00', '%Y', 'UTC')", "2025"),
    ("add_time(now(), '3d')", "2026-03-04T12:00:00.000Z"),
    ("add_time('2026-03-01T00:00:00.1234567Z', '500ms')", "2026-03-01T00:00:00.623Z"),
]
WRITTEN_OUT: dict[str, Any] = {
    "stable": [{"k": 1}, {"k": 2, "n": 1}, {"k": 2, "n": 2}],
    "first kept": [1, True, "1", [1], {"a": 1}],
    "types": ["null", "boolean", "integer", "number", "text", "list", "object"],
}
HMAC = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"


def evaluate(text: str) -> Any:
    return compile_expression(text).evaluate({}, NOW)


@pytest.mark.parametrize(("text", "expected"), GIVEN)
def test_a_function_gives(text: str, expected: Any) -> None:
    known = isinstance(expected, str) and expected in WRITTEN_OUT
    assert repr(evaluate(text)) == repr(WRITTEN_OUT[expected] if known else expected)


def test_hmac_is_the_known_one() -> None:
    given = evaluate("hmac_sha256('The quick brown fox jumps over the lazy dog', 'key')")
    assert given == HMAC


def test_every_function_of_the_language_has_a_case() -> None:
    written = " ".join(text for text, _ in GIVEN) + " has( hmac_sha256("
    assert [name for name in FUNCTIONS if f"{name}(" not in written] == []


TYPES = [
    ("len(1)", "len: argument 1 is an integer", "integer"),
    ("lower(null)", "lower: argument 1 is null", "null"),
    ("split('a', 1)", "split: argument 2 is an integer", "integer"),
    ("join(['a', 1], ',')", "item 1 is an integer", "integer"),
    ("replace('a', 'b', null)", "replace: argument 3 is null", "null"),
    ("contains(['a'], 'a')", "contains: argument 1 is a list", "list"),
    ("slice('a', true, 1)", "slice: argument 2 is a boolean", "boolean"),
    ("int(true)", "int: argument 1 is a boolean", "boolean"),
    ("number([])", "number: argument 1 is a list", "list"),
    ("abs('1')", "abs: argument 1 is a text", "text"),
    ("sum([1, 'a'])", "item 1 is a text", "text"),
    ("sum([true])", "item 0 is a boolean", "boolean"),
    ("max([1, 'a'])", "item 1 is a text", "text"),
    ("sort([[1]])", "item 0 is a list", "list"),
    ("sort([true, false])", "item 0 is a boolean", "boolean"),
    ("sort_by([1], 'k')", "item 0 is an integer", "integer"),
    ("range(1.0)", "range: argument 1 is a number", "number"),
    ("zip([], null)", "zip: argument 2 is null", "null"),
    ("keys([])", "keys: argument 1 is a list", "list"),
    ("get(null, 'a', 1)", "get: argument 1 is null", "null"),
    ("get({}, 1, 1)", "get: argument 2 is an integer", "integer"),
    ("merge({}, [])", "merge: argument 2 is a list", "list"),
    ("add_time(1, '1d')", "add_time: argument 1 is an integer", "integer"),
    ("add_time(now(), 1)", "add_time: argument 2 is an integer", "integer"),
]


@pytest.mark.parametrize(("text", "part", "found"), TYPES)
def test_a_wrong_type_names_function_argument_and_what_was_there(
    text: str, part: str, found: str
) -> None:
    with pytest.raises(ExpressionError) as refused:
        evaluate(text)
    assert refused.value.code == "expression-type"
    assert part in refused.value.message
    assert refused.value.found == found


@pytest.mark.parametrize(
    "text",
    [
        *("split('a', '')", "replace('a', '', 'b')", "min([])", "max([])", "range(10001)"),
        *("range(-1)", "int('1.5')", "int(1.5)", "int('१')", "int(' 1')", "number('1,5')"),
        *("number('')", "number('nan')", "from_json('{')", "from_json('NaN')", "round(1.5, 99)"),
        *("from_json('\"\\\\ud800\"')", "from_json('9223372036854775808')"),
        *("from_base64('x')", "from_base64('gA==')", "parse_time('x', '%Y')"),
        *("parse_time('2025', '%Q')", "parse_time('01', '%m')", "parse_time('2025-13', '%Y-%m')"),
        *("parse_time('2025-366', '%Y-%j')", "parse_time('2025 2026', '%Y %Y')"),
        *("format_time('yesterday', '%Y', 'UTC')", "format_time(now(), '%Y', 'Nowhere/City')"),
        *("format_time(now(), '%Y', '../UTC')", "format_time(now(), '%Y', 'Europe')"),
        *("format_time(now(), '%-d', 'UTC')", "add_time(now(), '3w')", "add_time(now(), '366d')"),
        *("add_time('9999-12-31T00:00:00Z', '2d')", "add_time('2026-02-30T00:00:00Z', '1d')"),
        "from_json(join(['[' for i in range(200)], '') + join([']' for i in range(200)], ''))",
        "from_json(join(['[' for i in range(9000)], ''))",
    ],
)
def test_a_value_that_a_function_cannot_take_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        evaluate(text)
    assert refused.value.code == "expression-value"
    assert refused.value.column == 1


@pytest.mark.parametrize("text", ["int('9223372036854775808')", "number('1e999')", "floor(1e300)"])
def test_a_number_beyond_the_language_is_too_large(text: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        evaluate(text)
    assert refused.value.code == "number-too-large"
