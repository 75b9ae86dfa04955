"""Every body that an operation takes: each field spoiled, and each way to be no JSON."""

import json
from typing import Any

import httpx
import pytest
from tests_support.api import YAML, Operation
from tests_support.walk import (
    BODY_MAX,
    Findings,
    caller,
    content,
    good_body,
    nothing_changes,
    spoiled,
    wrong_values,
)
from tests_support.world import World

NO_JSON = {
    "a key twice": b'{"a": 1, "a": 2}',
    "NaN": b'{"a": NaN}',
    "infinity": b'{"a": 1e999}',
    "half a surrogate pair": b'{"a": "\\ud800"}',
    "depth 41": b"[" * 41 + b"]" * 41,
    "65 bits": b'{"a": 9223372036854775808}',
    "cut off": b'{"a": ',
    "no UTF-8": b'{"a": "\xff"}',
    "nothing": b"",
}
ANSWERS_WITH_PROBLEMS = "check-document"  # what is wrong with a document is its answer


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    said = f"{answer.status_code} {answer.text[:400]}"
    assert (answer.status_code, answer.json().get("code")) == (status, code), said
    return answer.json()


def with_bodies(world: World) -> list[Operation]:
    return [op for op in world.document.operations if op.body]


def changing(world: World) -> list[Operation]:
    """All but what takes any bytes: see test_files.py."""
    return [op for op in world.document.operations if op.method != "GET" and not op.raw]


def test_a_field_of_the_wrong_type_is_refused_by_its_pointer(world: World) -> None:
    findings = Findings()
    with nothing_changes(world):
        for op in with_bodies(world):
            for name, schema in op.body["properties"].items():
                for wrong in wrong_values(op, schema):
                    with findings.at(op.id, name, wrong):
                        given = content(op, world, **{name: wrong})
                        answer = caller(op, world).ask(op.method, world.home.path(op), **given)
                        errors = is_problem(answer, 422, "invalid-input")["errors"]
                        assert all(
                            e["pointer"] == f"/{name}" or e["pointer"].startswith(f"/{name}/")
                            for e in errors
                        ), errors
    findings.none(130)


def test_an_unknown_field_is_refused_with_what_was_meant(world: World) -> None:
    findings = Findings()
    with nothing_changes(world):
        for op in with_bodies(world):
            near = next(iter(op.body["properties"]))
            with findings.at(op.id):
                given = content(op, world, **{f"{near}x": 1})
                answer = caller(op, world).ask(op.method, world.home.path(op), **given)
                (error,) = is_problem(answer, 422, "invalid-input")["errors"]
                assert (error["pointer"], error["rule"]) == (f"/{near}x", "unknown-field")
                assert error["did_you_mean"] == near
    findings.none(14)


def test_a_field_that_is_missing_is_named(world: World) -> None:
    findings = Findings()
    with nothing_changes(world):
        for op in with_bodies(world):
            for name in op.body.get("required", ()):
                fields = good_body(op, world)
                del fields[name]
                with findings.at(op.id, name):
                    answer = caller(op, world).ask(
                        op.method, world.home.path(op), **spoiled_as(op, fields)
                    )
                    (error,) = is_problem(answer, 422, "invalid-input")["errors"]
                    assert (error["pointer"], error["rule"]) == (f"/{name}", "missing")
    findings.none(20)


def spoiled_as(op: Operation, value: Any) -> dict[str, Any]:
    given = spoiled(op, json.dumps(value).encode())
    given["headers"]["Content-Type"] = op.media[0]
    return given


def test_a_body_that_is_no_object_is_refused(world: World) -> None:
    findings = Findings()
    for op in with_bodies(world):
        for value in ([], "text", 1, None, [{}]):
            with findings.at(op.id, value):
                answer = caller(op, world).ask(
                    op.method, world.home.path(op), **spoiled_as(op, value)
                )
                is_problem(answer, 422, "invalid-input")
    findings.none(70)


def test_a_body_one_byte_over_the_limit_is_refused_and_one_of_the_limit_is_read(
    world: World,
) -> None:
    findings = Findings()
    with nothing_changes(world):
        for op in changing(world):
            over = spoiled(op, b" " * (BODY_MAX + 1))
            if op.media and YAML not in op.media:
                over["headers"]["Content-Type"] = op.media[0]
            for chunked in (False, True):
                if chunked:
                    over["content"] = iter([b" " * BODY_MAX, b" "])
                with findings.at(op.id, "chunked" if chunked else ""):
                    answer = caller(op, world).ask(op.method, world.home.path(op), **over)
                    assert is_problem(answer, 413, "body-too-large")["limit_bytes"] == BODY_MAX
        for op in with_bodies(world):
            with findings.at(op.id, "of the limit"):
                given = spoiled(op, b" " * BODY_MAX)
                given["headers"]["Content-Type"] = op.media[0]
                answer = caller(op, world).ask(op.method, world.home.path(op), **given)
                is_problem(answer, 400, "malformed-json")
    findings.none(70)


@pytest.mark.parametrize("kind", NO_JSON)
def test_what_two_parsers_read_differently_is_no_json_here(world: World, kind: str) -> None:
    findings, body = Findings(), NO_JSON[kind]
    with nothing_changes(world):
        for op in changing(world):
            needs_one = op.facts.get("requestBody", {}).get("required")
            if (not body and not needs_one) or op.id == ANSWERS_WITH_PROBLEMS:
                continue
            if not op.media and kind != "a key twice":
                continue
            given = spoiled(op, body)
            if op.body:
                given["headers"]["Content-Type"] = op.media[0]
            with findings.at(op.id):
                answer = caller(op, world).ask(op.method, world.home.path(op), **given)
                is_problem(answer, 400, "malformed-json")
    findings.none(14)


def test_a_body_of_another_type_is_refused(world: World) -> None:
    findings = Findings()
    with nothing_changes(world):
        for op in changing(world):
            for media in ("text/plain", "application/xml", "application/x-www-form-urlencoded"):
                with findings.at(op.id, media):
                    given = content(op, world)
                    given["headers"] = given["headers"] | {"Content-Type": media}
                    given.setdefault("content", b"{}")
                    answer = caller(op, world).ask(op.method, world.home.path(op), **given)
                    is_problem(answer, 415, "media-type-unsupported")
    findings.none(90)


@pytest.mark.parametrize("length", [0, 256])
def test_an_idempotency_key_has_one_to_255_visible_characters(world: World, length: int) -> None:
    findings = Findings()
    with nothing_changes(world):
        for op in changing(world):
            if op.method != "POST" or op.id == ANSWERS_WITH_PROBLEMS:
                continue
            with findings.at(op.id):
                given = content(op, world)
                key = {"Idempotency-Key": "k" * length}
                given["headers"] = given["headers"] | key
                answer = caller(op, world).ask(op.method, world.home.path(op), **given)
                (error,) = is_problem(answer, 400, "invalid-parameter")["errors"]
                assert error["pointer"] == "Idempotency-Key"
    findings.none(20)
