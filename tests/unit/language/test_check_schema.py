"""Schemas: what an input schema may say, how an input is checked, and the language's own schema."""

import json
import time
from typing import Any

import jsonschema_rs
import pytest

from libs.language.check import HTTP_REQUEST, Known, check
from libs.language.check_editor_schema import workflow_schema
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
        ("/who", "maxLength"),
        ("/who", "format"),
        ("/kind", "enum"),
        ("/map/*", "type"),
        ("", "additionalProperties"),
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


def test_an_input_that_the_engine_cannot_read_is_an_error_and_no_exception():
    deep: Any = "a"
    for _ in range(2000):
        deep = [deep]
    validator = compile_schema({"items": {"items": {"type": "array"}}})

    assert [error.rule for error in validate_input(validator, deep)[1]] == ["unreadable"]
    text = validate_input(compile_schema({"type": "string"}), "\ud800")[1]
    assert [error.rule for error in text] == ["unreadable"]


LANGUAGE = jsonschema_rs.Draft202012Validator(workflow_schema(), offline=True)
STEP = {"id": "a", "set": {"x": 1}}
CALL = {"id": "a", "uses": "http-request@1", "with": {"url": "https://a.example"}}
HOOK = {"path": "a", "verify": {"scheme": "github", "secret": "${{ secret.a }}"}}
DOCUMENTS: list[tuple[bool, dict[str, Any]]] = [
    (True, {"steps": [STEP]}),
    (True, {"steps": [CALL], "title": "A", "timeout": "5m", "egress": ["a.example"]}),
    (True, {"steps": [{**CALL, "retry": {"attempts": 3, "on": ["5xx", 429]}, "once": True}]}),
    (True, {"steps": [{"id": "a", "wait": {"for": "5s"}}]}),
    (True, {"steps": [{"id": "a", "wait": {"for": "${{ input.n }}s"}}]}),
    (True, {"steps": [{"id": "a", "wait": {"until": "${{ now() }}"}}]}),
    (
        True,
        {
            "steps": [
                {"id": "a", "for_each": "${{ [1] }}", "as": "x", "steps": [STEP | {"id": "b"}]}
            ]
        },
    ),
    (
        True,
        {
            "steps": [
                {"id": "a", "choose": [{"when": "${{ true }}", "steps": []}], "else": {"steps": []}}
            ]
        },
    ),
    (True, {"steps": [STEP], "on": [{"webhook": HOOK}]}),
    (
        True,
        {"steps": [STEP], "input": {"type": "object"}, "labels": {"a": "b"}, "output": {"a": 1}},
    ),
    (False, {"steps": []}),
    (False, {"steps": [STEP | {"wait": {"for": "1s"}}]}),
    (False, {"steps": [STEP | {"id": "get-user"}]}),
    (False, {"steps": [STEP | {"retries": 3}]}),
    (False, {"steps": [CALL | {"uses": "http-request"}]}),
    (False, {"steps": [CALL | {"timeout": "${{ input.t }}"}]}),
    (False, {"steps": [CALL | {"connection": "a"}]}),
    (False, {"steps": [CALL | {"undo": {}}]}),
    (False, {"steps": [CALL | {"retry": {"then": "pause"}}]}),
    (False, {"steps": [{"id": "a", "for_each": "${{ [1] }}", "steps": []}]}),
    (False, {"steps": [{"id": "a", "for_each": {"uses": "x@1"}, "as": "x", "steps": []}]}),
    (False, {"steps": [{"id": "a", "choose": [{"else": []}]}]}),
    (False, {"steps": [{"id": "a", "choose": [{"when": True, "steps": []}]}]}),
    (False, {"steps": [{"id": "a", "wait": {"event": {"type": "a"}}}]}),
    *[(False, {"steps": [{"id": "a", kind: {}}]}) for kind in ("parallel", "try", "approval")],
    *[(False, {"steps": [{"id": "a", kind: "a"}]}) for kind in ("workflow", "python", "agent")],
    *[(False, {"steps": [STEP], "on": [{kind: {}}]}) for kind in ("schedule", "event", "mcp")],
    *[
        (False, {"steps": [STEP], key: {}})
        for key in ("concurrency", "debounce", "rate", "on_error")
    ],
    (False, {"steps": [STEP], "budget": {"tokens": 1}}),
    (False, {"steps": [STEP], "tests": []}),
    (False, {"steps": [STEP], "on": [{"webhook": {"path": "a"}}]}),
]


@pytest.mark.parametrize(("good", "document"), DOCUMENTS, ids=lambda row: json.dumps(row)[:90])
def test_the_languages_schema_and_the_checker_agree(good, document):
    whole = {"troth": 1, "name": "a", **document}
    known = Known(connectors={"http-request@1": HTTP_REQUEST})

    found = check(read_document(json.dumps(whole), "json"), known=known)

    assert (found.document is not None) == good, found.problems
    assert LANGUAGE.is_valid(whole) == good, [str(error) for error in LANGUAGE.iter_errors(whole)]


def test_the_languages_schema_is_json():
    assert json.loads(json.dumps(workflow_schema())) == workflow_schema()
