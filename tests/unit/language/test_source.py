"""Reading workflow files: what is refused, with line and column, and what positions say."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.language.source import Media, SourceError, pointer_of, read_document, read_value
from libs.language.source_marks import SOURCE_BYTES_MAX


def refused(text: str | bytes, media: Media = "yaml") -> SourceError:
    with pytest.raises(SourceError) as caught:
        read_document(text, media)
    return caught.value


REFUSED_YAML = [
    ("an anchor", "a: &x 1", "anchor", 1, 4),
    ("an anchor on a list", "a:\n  - &x [1]", "anchor", 2, 5),
    ("an alias", "a: *x", "alias", 1, 4),
    ("a merge key", "a: {b: 1}\n<<: {c: 2}", "merge-key", 2, 1),
    ("a tag", "a: !!str 1", "tag", 1, 4),
    ("an own tag on an object", "a: !mine {b: 1}", "tag", 1, 4),
    ("the non-specific tag", "a: ! 1", "tag", 1, 4),
    ("a double key", "a: 1\nb: 2\na: 3", "duplicate-key", 3, 1),
    ("a double key in quotes", 'x: {a: 1, "a": 2}', "duplicate-key", 1, 11),
    ("the key 1", "1: a", "key-not-text", 1, 1),
    ("the key true", "a: 1\ntrue: a", "key-not-text", 2, 1),
    ("the key null", "~: a", "key-not-text", 1, 1),
    ("no key at all", "?\n: a", "key-not-text", 1, 2),
    ("a list as key", "? [a]\n: 1", "key-not-text", 1, 3),
    ("two documents", "a: 1\n---\nb: 2", "several-documents", 2, 1),
    ("depth 41", "[" * 41 + "]" * 41, "too-deep", 1, 41),
    ("depth 41 in block style", "- " * 41 + "a", "too-deep", 1, 81),
    ("24 digits", "a: " + "1" * 24, "number-too-large", 1, 4),
    ("19 digits over 64 bits", "a: 9999999999999999999", "number-too-large", 1, 4),
    ("a decimal over double", "a: 1e999", "number-too-large", 1, 4),
    ("a directive of YAML 1.1", "%YAML 1.1\n---\na: on", "directive", 1, 1),
    ("a tag directive", "%TAG ! tag:x.example,2000:\n---\na: 1", "directive", 1, 1),
    ("a control character", 'a: "\x07"', "syntax", 1, 5),
    ("an escaped half character", 'a: "\\ud800"', "syntax", 1, 7),
    ("an open quote", 'a: "b', "syntax", 1, 6),
    ("a tab as indentation", "a:\n\tb: 1", "syntax", 2, 1),
]


@pytest.mark.parametrize(
    ("text", "rule", "line", "column"),
    [row[1:] for row in REFUSED_YAML],
    ids=[row[0] for row in REFUSED_YAML],
)
def test_yaml_outside_of_the_language_is_refused_with_its_place(text, rule, line, column):
    error = refused(text)

    assert (error.code, error.rule, error.line, error.column) == (
        "malformed-yaml",
        rule,
        line,
        column,
    )


TEXTS = ["on", "yes", "NO", "True", "0777", "0x1F", "1:30", "2026-01-01", ".inf", "+1", "1."]
REFUSED_JSON = [
    ("a key twice", '{"a": 1,\n "a": 2}', "duplicate-key", 2, 2),
    ("a key twice by escapes", '{"a": 1, "\\u0061": 2}', "duplicate-key", 1, 10),
    ("NaN", '{"a": NaN}', "syntax", 1, 7),
    ("infinity", "[-Infinity]", "syntax", 1, 2),
    ("a comma too many", "[1,\n]", "syntax", 2, 1),
    ("a comma too many in an object", '{"a": 1,}', "syntax", 1, 9),
    ("no comma", "[1 2]", "syntax", 1, 4),
    ("no colon", '{"a" 1}', "syntax", 1, 6),
    ("a key without quotes", "{a: 1}", "syntax", 1, 2),
    ("a number as key", "{1: 1}", "syntax", 1, 2),
    ("half a character", '["\\ud83d"]', "not-utf-8", 1, 2),
    ("the other half", '["\\ude00x"]', "not-utf-8", 1, 2),
    ("depth 41", "[" * 41 + "]" * 41, "too-deep", 1, 41),
    ("20 digits", "[12345678901234567890]", "number-too-large", 1, 2),
    ("over 64 bits", "[9223372036854775808]", "number-too-large", 1, 2),
    ("over a double", "[1e400]", "number-too-large", 1, 2),
    ("leading zero", "[01]", "syntax", 1, 2),
    ("a bare point", "[1.]", "syntax", 1, 2),
    ("an open text", '["a', "syntax", 1, 2),
    ("a raw tab in a text", '["a\tb"]', "syntax", 1, 2),
    ("a wrong escape", '["\\x41"]', "syntax", 1, 2),
    ("the wrong bracket", "[1}", "syntax", 1, 3),
    ("an open list", "[1", "syntax", 1, 3),
    ("two values", "{} {}", "syntax", 1, 4),
    ("nothing", "", "syntax", 1, 1),
    ("a comment", "{} // x", "syntax", 1, 4),
]


@pytest.mark.parametrize(
    ("text", "rule", "line", "column"),
    [row[1:] for row in REFUSED_JSON],
    ids=[row[0] for row in REFUSED_JSON],
)
def test_json_is_read_strictly(text, rule, line, column):
    error = refused(text, "json")

    assert (error.code, error.rule, error.line, error.column) == (
        "malformed-json",
        rule,
        line,
        column,
    )


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("null", None),
        ("~", None),
        ("", None),
        ("true", True),
        ("false", False),
        ("7", 7),
        ("-7", -7),
        ("9223372036854775807", 2**63 - 1),
        ("1.5", 1.5),
        ("2e3", 2000.0),
        *((text, text) for text in TEXTS),
        ('"1"', "1"),
        ("'true'", "true"),
        ('"<<"', "<<"),
    ],
)
def test_plain_scalars_are_those_of_json_and_all_else_is_text(written, value):
    found = read_document(f"a: {written}", "yaml").value["a"]

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "a: {b: ${{ x }}}",
        "a: [${{ x }}]",
        'when: ${{ {"a": 1} }}',
        "a: {b: [c, ${{ d }}\n  e: f",
    ],
)
def test_a_yaml_failure_beside_an_expression_says_that_it_must_be_quoted(text):
    assert "must be quoted" in refused(text).detail


def test_a_yaml_failure_without_an_expression_says_nothing_about_quotes():
    assert "must be quoted" not in refused("a: [1, 2").detail


def test_a_file_may_be_256_kib_and_not_a_byte_more():
    text = "a: " + "x" * (SOURCE_BYTES_MAX - 3)

    assert read_document(text, "yaml").value["a"][0] == "x"
    assert refused(text + "y").rule == "too-large"
    assert refused(b'"' + b"x" * SOURCE_BYTES_MAX + b'"', "json").rule == "too-large"


def test_bytes_that_are_no_utf_8_are_refused_with_their_place():
    error = refused(b"a: 1\nb: \xff")

    assert (error.rule, error.line, error.column) == ("not-utf-8", 2, 4)


def test_a_text_with_half_a_character_is_refused():
    assert refused("a: \ud800").rule == "not-utf-8"


def test_a_byte_order_mark_is_no_part_of_the_file():
    assert read_document(b"\xef\xbb\xbfa: 1", "yaml").value == {"a": 1}


def test_the_billion_laughs_do_not_get_beyond_the_first_anchor():
    laughs = 'a: &a ["x","x"]\n' + "".join(
        f"{name}: &{name} [*{before},*{before}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )

    assert refused(laughs).rule == "anchor"


@pytest.mark.parametrize("text", ["[" * 250_000, "{a: " * 60_000, "- " * 120_000, "? " * 120_000])
def test_deep_nesting_of_a_whole_file_is_refused_before_it_is_read(text):
    assert refused(text).rule in ("too-deep", "key-not-text")


def test_a_file_of_full_size_is_read_in_a_moment():
    text = "a:\n" + "".join(f"  - {{k{n}: v, n: {n}}}\n" for n in range(9500))
    begin = time.process_time()

    value = read_document(text, "yaml").value
    again = read_document(json.dumps(value), "json").value

    assert value == again
    assert time.process_time() - begin < 5  # it takes a fifth of a second; minutes would be a fault


def test_positions_lead_to_values_keys_and_the_nearest_that_is_there():
    source = read_document('a: 1\n"b":\n  - x\n  - {c: "d", e: [1, 2.5]}\n', "yaml")

    assert source.locate("/b/1/e/1") == (4, 20 + 1)
    assert source.position(("b", 1, "c")) == (4, 9)
    assert source.position(("b", 1, "c"), of_key=True) == (4, 6)
    assert source.position(("b",), of_key=True) == (2, 1)
    assert source.position(("b", 1, "absent")) == (4, 5)
    assert source.position(()) == (1, 1)


def test_positions_of_json_are_the_same_kind():
    source = read_document('{"a": 1,\n "b": ["x", {"c/d": null}]}', "json")

    assert source.locate("/b/1/c~1d") == (2, 21)
    assert source.position(("b", 1, "c/d"), of_key=True) == (2, 14)


def test_a_value_without_a_file_has_no_positions():
    assert read_value({"a": 1}).position(("a",)) is None


def test_a_pointer_escapes_its_keys_and_ends_before_it_gets_long():
    assert pointer_of(("a/b", "c~d", 0)) == "/a~1b/c~0d/0"
    assert pointer_of(("a", "x" * 1000, "b")) == "/a"


def outcome(text: str, media: Media) -> tuple[int, int]:
    try:
        return read_document(text, media).position(()) or (0, 0)
    except SourceError as error:
        return error.line, error.column


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON_VALUES, st.sampled_from([None, 1]))
def test_json_is_read_as_the_standard_library_reads_it(value, indent):
    text = json.dumps(value, ensure_ascii=indent is None, indent=indent)

    assert read_document(text, "json").value == json.loads(text)


@given(st.text())
def test_any_text_is_read_or_refused_with_a_place(text):
    for media in ("yaml", "json"):
        line, column = outcome(text, media)

        assert line >= 1
        assert column >= 1
