"""Input schemas: what they may say, and how an input is checked."""

import time
from typing import Any

import pytest

from libs.language.check import check
from libs.language.schema import Fault, SchemaError, Validator, compile_schema, validate_input
from libs.language.source import read_document


def faults(schema: Any) -> list[Fault]:
    with pytest.raises(SchemaError) as caught:
        compile_schema(schema)
    return caught.value.faults


def doubling(levels: int) -> dict[str, Any]:
    defs: dict[str, Any] = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**defs, f"d{levels}": {"type": "string"}}}


def chain(levels: int) -> dict[str, Any]:
    defs: dict[str, Any] = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": {**defs, f"d{levels}": {"type": "string"}}}


TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                "left": {"$ref": "#/$defs/node"},
            },
        }
    },
}
ANY_JSON = {
    "$ref": "#/$defs/json",
    "$defs": {
        "json": {
            "anyOf": [
                {"type": "object", "additionalProperties": {"$ref": "#/$defs/json"}},
                {"type": "array", "items": {"$ref": "#/$defs/json"}},
                {"type": ["string", "number", "boolean", "null"]},
            ]
        }
    },
}
TWICE = {"properties": {"a": {"$ref": "#/$defs/n"}}}
REFUSED = [
    ("a reference to the network", {"$ref": "https://x.example/s"}, "schema-ref"),
    ("a reference to a file", {"$ref": "file:///etc/passwd"}, "schema-ref"),
    ("a reference to the whole", {"properties": {"a": {"$ref": "#"}}}, "schema-ref"),
    ("a reference to nothing", {"$ref": "#/$defs/none"}, "schema-ref"),
    ("an own base", {"$id": "https://x.example/"}, "schema-keyword"),
    ("a dynamic reference", {"$dynamicRef": "#a"}, "schema-keyword"),
    ("another dialect", {"$schema": "http://json-schema.org/draft-07/schema#"}, "schema-keyword"),
    ("an unknown keyword", {"requird": ["a"]}, "unknown-key"),
    ("an unknown type", {"type": "strin"}, "schema-invalid"),
    ("a number as schema", {"properties": {"a": 3}}, "schema-invalid"),
    ("properties that are none", {"properties": True}, "schema-invalid"),
    ("look-around", {"pattern": "(?=a)"}, "schema-pattern"),
    ("a back-reference", {"properties": {"a": {"pattern": r"(a)\1"}}}, "schema-pattern"),
    ("a pattern that explodes when compiled", {"pattern": "(a{1000}){1000}"}, "schema-pattern"),
    ("an unknown data class", {"x-data": "personal"}, "not-one-of"),
    (
        "a loop of references",
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        "schema-ref-depth",
    ),
    ("21 references in a row", chain(21), "schema-ref-depth"),
    ("references that double", doubling(18), "schema-too-expensive"),
    (
        "alternatives that double by depth",
        {"$ref": "#/$defs/n", "$defs": {"n": {"anyOf": [TWICE, TWICE]}}},
        "schema-too-expensive",
    ),
    ("501 parts", {"properties": {f"p{n}": {} for n in range(500)}}, "schema-too-large"),
    ("over 64 KiB", {"description": "x" * 65536}, "too-large"),
]


@pytest.mark.parametrize(("schema", "rule"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_a_schema_outside_of_the_language_is_refused_in_a_moment(schema, rule):
    begin = time.process_time()

    assert faults(schema)[0].rule == rule
    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    "schema",
    [True, {}, TREE, ANY_JSON, chain(19), {"properties": {f"p{n}": {} for n in range(499)}}],
)
def test_an_ordinary_schema_is_taken(schema):
    compile_schema(schema)


def test_a_fault_has_its_path_and_a_suggestion():
    fault = faults({"properties": {"a": {"requird": []}}})[0]

    assert fault.path == ("properties", "a", "requird")
    assert fault.did_you_mean == "required"


def test_a_fault_of_an_input_schema_is_placed_in_the_file():
    text = "troth: 1\nname: a\ninput:\n  type: strin\nsteps: [{id: a, set: {}}]\n"

    problem = check(read_document(text, "yaml")).problems[0]

    assert (problem.pointer, problem.line, problem.column) == ("/input/type", 4, 9)


@pytest.fixture
def validator() -> Validator:
    return compile_schema(
        {
            "type": "object",
            "required": ["who"],
            "additionalProperties": False,
            "properties": {
                "who": {"type": "string", "maxLength": 10, "format": "email"},
                "kind": {"enum": ["a", "b"], "default": "a"},
                "more": {"$ref": "#/$defs/more"},
                "list": {"type": "array", "items": {"properties": {"n": {"default": 1}}}},
                "map": {"additionalProperties": {"type": "integer"}},
            },
            "$defs": {"more": {"default": {"deep": True}}},
        }
    )


def test_defaults_are_filled_in_and_the_given_value_stays_as_it_is(validator):
    given = {"who": "a@b.cd", "list": [{}, {"n": 2}]}

    value, errors = validate_input(validator, given)

    assert errors == []
    assert value == {
        "who": "a@b.cd",
        "kind": "a",
        "more": {"deep": True},
        "list": [{"n": 1}, {"n": 2}],
    }
    assert given == {"who": "a@b.cd", "list": [{}, {"n": 2}]}


def test_errors_have_a_pointer_a_rule_and_never_the_value(validator):
    value = {"who": "somebody-secret", "kind": "secret", "map": {"secret": "secret"}, "secret": 1}

    _, errors = validate_input(validator, value)

    assert {(error.pointer, error.rule) for error in errors} == {
        ("/who", "max-length"),
        ("/who", "format"),
        ("/kind", "enum"),
        ("/map/*", "type"),
        ("", "additional-properties"),
    }
    assert "secret" not in str(errors)


def test_a_missing_key_is_named_where_it_should_be(validator):
    _, errors = validate_input(validator, {})

    assert [(error.pointer, error.rule) for error in errors] == [("/who", "required")]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", "2026-01-01T00:00:00Z", "2026-01-01"),
        ("date", "2026-01-01", "2026-02-30"),
        ("email", "a@b.example", "a"),
        ("uri", "https://a.example/x", "a b"),
        ("uuid", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "6f96"),
    ],
)
def test_the_five_formats_are_checked(name, good, bad):
    validator = compile_schema({"format": name})

    assert validate_input(validator, good)[1] == []
    assert [error.rule for error in validate_input(validator, bad)[1]] == ["format"]


def test_other_formats_are_notes():
    assert validate_input(compile_schema({"format": "hostname"}), "-- no --")[1] == []


def test_a_pattern_that_kills_a_backtracking_engine_is_answered_in_a_moment():
    validator = compile_schema({"type": "string", "pattern": "^(a+)+$"})
    begin = time.process_time()

    _, errors = validate_input(validator, "a" * 100_000 + "b")

    assert [error.rule for error in errors] == ["pattern"]
    assert time.process_time() - begin < 5


def test_errors_of_a_big_input_are_few():
    _, errors = validate_input(compile_schema({"items": {"type": "string"}}), [1] * 60_000)

    assert 1 <= len(errors) <= 50


def test_defaults_cannot_make_a_small_input_huge():
    schema = {"items": {"properties": {"a": {"default": "x" * 10_000}}}}

    _, errors = validate_input(compile_schema(schema), [{}] * 10_000)

    assert [error.rule for error in errors] == ["too-large"]


@pytest.mark.parametrize("depth", [41, 2000, 100_000])
def test_an_input_that_is_too_deep_never_reaches_the_engine(depth):
    deep: Any = "a"
    for _ in range(depth):
        deep = [deep]

    assert [error.rule for error in validate_input(compile_schema(ANY_JSON), deep)[1]] == [
        "too-deep"
    ]


def test_an_input_may_be_40_deep():
    deep: Any = "a"
    for _ in range(40):
        deep = [deep]

    assert validate_input(compile_schema(ANY_JSON), deep)[1] == []


def test_half_a_character_is_an_error_and_no_exception():
    errors = validate_input(compile_schema({"type": "string"}), "\ud800")[1]

    assert [error.rule for error in errors] == ["unreadable"]


def test_references_at_every_level_are_an_error_and_no_exception_at_worst():
    schema = chain(19)
    schema["$defs"]["d19"] = {"properties": {"a": {"$ref": "#/$defs/d0"}, "b": {"default": 1}}}
    value: Any = {}
    for _ in range(39):
        value = {"a": value}

    _, errors = validate_input(compile_schema(schema), value)

    assert [error.rule for error in errors] in ([], ["unreadable"])
