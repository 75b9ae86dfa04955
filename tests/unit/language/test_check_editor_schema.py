"""The language's own schema: it takes and refuses what the checker does."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from libs.language.check import HTTP_REQUEST, Known, check
from libs.language.check_editor_schema import workflow_schema
from libs.language.source import read_document

EXAMPLES = Path(__file__).parents[3] / "examples"
LANGUAGE = jsonschema_rs.Draft202012Validator(workflow_schema(), offline=True)
STEP = {"id": "a", "set": {"x": 1}}
CALL = {"id": "a", "uses": "http-request@1", "with": {"url": "https://a.example"}}
HOOK = {"path": "a", "verify": {"scheme": "github", "secret": "${{ secret.a }}"}}
UNDO = {"uses": "http-request@1", "with": {"url": "https://a.example"}}
PAGES = UNDO | {"items": "${{ page.json }}", "next": "${{ null }}"}
BLOCK: dict[str, Any] = {"steps": []}
ASKED = {"by": ["role:admin"], "message": "Pay?"}
EVENT = {"event": {"type": "custom.paid"}}
GOOD_KINDS: list[dict[str, Any]] = [
    {"for_each": PAGES, "as": "x", "steps": []},
    {"parallel": {"b": BLOCK, "c": {"steps": [], "output": 1}}, "failures": "collect"},
    {"try": BLOCK},
    {
        "try": BLOCK,
        "catch": [{"on": ["timeout", "expression-type"], "steps": []}],
        "finally": BLOCK,
    },
    {"wait": EVENT | {"timeout": "3d", "on_timeout": "continue"}},
    {"approval": ASKED},
    {"approval": ASKED | {"input": {"schema": True, "value": 1}, "quorum": 2, "remind": "1d"}},
    {"workflow": "other", "version": 7, "with": {"a": 1}},
    {"workflow": "other", "version": "latest", "detached": True},
    {"python": "return n", "with": {"n": 1}, "uses": ["http-request@1"]},
]
BAD_KINDS: list[dict[str, Any]] = [
    {"for_each": {"uses": "x@1"}, "as": "x", "steps": []},
    {"for_each": PAGES | {"limit": 0}, "as": "x", "steps": []},
    {"parallel": {}},
    {"parallel": {"B": BLOCK}},
    {"parallel": {"b": {"steps": [], "when": "x"}}},
    {"try": []},
    {"try": BLOCK, "catch": [{"on": ["cancelled"], "steps": []}]},
    {"try": BLOCK, "catch": [{"on": [], "steps": []}]},
    {"try": BLOCK, "finally": {"steps": [], "output": 1}},
    {"wait": {}},
    {"wait": {"event": {"type": "paid"}}},
    {"wait": {"event": {"type": "custom.paid"}, "for": "1s"}},
    {"wait": {"event": {"type": "custom.paid"}, "on_timeout": "fail"}},
    {"approval": {"message": "Pay?"}},
    {"approval": ASKED | {"by": ["admin"]}},
    {"approval": ASKED | {"input": {"schema": True}}},
    {"approval": ASKED | {"on_timeout": "fail"}},
    {"workflow": "Other"},
    {"workflow": "other", "version": "newest"},
    {"python": "return '${{ x }}'"},
    {"python": "return 1", "with": {"a-b": 1}},
    {"python": "return 1", "uses": ["http-request"]},
]
GOOD_SETTINGS: list[dict[str, Any]] = [
    {"on": [{"id": "a", "schedule": {"cron": "0 9 * * MON", "timezone": "UTC"}}]},
    {"on": [{"event": {"type": "billing.event.*", "match": "${{ true }}", "with": 1}}]},
    {"concurrency": {"limit": 1, "key": "${{ input.a }}", "then": "reject"}},
    {"debounce": {"window": "5s", "max": "1m", "collect": True}},
    {"rate": {"limit": 5, "per": "1m", "then": "reject"}},
    {"priority": -10},
    {"budget": {"steps": 5, "duration": "7d"}},
    {"on_error": {"steps": [], "output": 1}},
    {"tests": []},
    {"tests": [{"name": "t", "mocks": {"a": 1}, "expect": {"outcome": "failed"}}]},
]
BAD_SETTINGS: list[dict[str, Any]] = [
    {"on": [{"schedule": {"cron": "0 9 * *"}}]},
    {"on": [{"schedule": {}}]},
    {"on": [{"event": {"type": "billng.event.a"}}]},
    {"on": [{"event": {"type": "custom.a"}, "schedule": {"cron": "* * * * *"}}]},
    {"concurrency": {}},
    {"concurrency": {"limit": 1001}},
    {"debounce": {"max": "1m"}},
    {"rate": {"limit": 5}},
    {"rate": {"limit": 5, "per": "1m", "then": "cancel-running"}},
    {"priority": 11},
    {"on_error": []},
    {"tests": [{"name": "t"}]},
    {"tests": [{"name": "t", "expect": {}}]},
    {"tests": [{"name": "t", "expect": {"outcome": "good"}}]},
]
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
    (True, {"steps": [CALL | {"undo": UNDO, "retry": {"then": "pause"}}]}),
    (False, {"steps": [CALL | {"undo": {}}]}),
    (False, {"steps": [CALL | {"undo": UNDO | {"undo": UNDO}}]}),
    (False, {"steps": [CALL | {"undo": UNDO | {"retry": {"then": "pause"}}}]}),
    (False, {"steps": [{"id": "a", "for_each": "${{ [1] }}", "steps": []}]}),
    (False, {"steps": [{"id": "a", "for_each": {"uses": "x@1"}, "as": "x", "steps": []}]}),
    (False, {"steps": [{"id": "a", "choose": [{"else": []}]}]}),
    (False, {"steps": [{"id": "a", "choose": [{"when": True, "steps": []}]}]}),
    *[(True, {"steps": [{"id": "a", **kind}]}) for kind in GOOD_KINDS],
    *[(False, {"steps": [{"id": "a", **kind}]}) for kind in BAD_KINDS],
    *[(True, {"steps": [STEP], **above}) for above in GOOD_SETTINGS],
    *[(False, {"steps": [STEP], **above}) for above in BAD_SETTINGS],
    (False, {"steps": [{"id": "a", "agent": {}}]}),
    (False, {"steps": [STEP], "on": [{"mcp": {}}]}),
    (False, {"steps": [STEP], "budget": {"tokens": 1}}),
    (False, {"steps": [STEP], "on": [{"webhook": {"path": "a"}}]}),
]


@pytest.mark.parametrize(("good", "document"), DOCUMENTS, ids=lambda row: json.dumps(row)[:90])
def test_the_languages_schema_and_the_checker_agree(good, document):
    whole = {"troth": 1, "name": "a", **document}
    known = Known(connectors={"http-request@1": HTTP_REQUEST})

    found = check(read_document(json.dumps(whole), "json"), known=known)

    assert (found.document is not None) == good, found.problems
    assert LANGUAGE.is_valid(whole) == good, [str(error) for error in LANGUAGE.iter_errors(whole)]


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_languages_schema_takes_the_examples(file):
    assert LANGUAGE.is_valid(read_document(file.read_text(), "yaml").value)


def test_every_key_of_the_language_is_described():
    bare = [
        f"{name}.{key}"
        for name, part in workflow_schema()["$defs"].items()
        for key, field in part.get("properties", {}).items()
        if "description" not in field and "$ref" not in field
    ]

    assert bare == []


def test_the_languages_schema_is_json():
    assert json.loads(json.dumps(workflow_schema())) == workflow_schema()
