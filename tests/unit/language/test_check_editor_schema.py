"""The language's own schema: it takes and refuses what the checker does."""

import json
from typing import Any

import jsonschema_rs
import pytest

from libs.language.check import HTTP_REQUEST, Known, check
from libs.language.check_editor_schema import workflow_schema
from libs.language.source import read_document

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
