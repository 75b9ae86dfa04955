"""The checker on documents broken at random: what it takes, its schema takes too."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.language.check import HTTP_REQUEST, Known, check
from libs.language.check_editor_schema import workflow_schema
from libs.language.source import Path, read_document

KNOWN = Known(connectors={"http-request@1": HTTP_REQUEST})
LANGUAGE = jsonschema_rs.Draft202012Validator(workflow_schema(), offline=True)
GOOD = {
    "troth": 1,
    "name": "a",
    "title": "A",
    "labels": {"team": "core"},
    "input": {"type": "object", "properties": {"lines": {"items": {"$ref": "#/$defs/l"}}},
              "$defs": {"l": {"type": "object", "additionalProperties": False}}},
    "on": [{"id": "hook", "webhook": {
        "path": "a", "verify": {"scheme": "github", "secret": "${{ secret.a }}"},
        "respond": "result", "timeout": "5s", "headers": ["x-a"]}},
        {"schedule": {"cron": "0 9 * * MON", "timezone": "UTC", "missed": "skip", "with": {}}},
        {"event": {"type": "custom.a", "match": "${{ event.data }}", "with": "${{ event.data }}"}}],
    "concurrency": {"key": "${{ input.lines }}", "limit": 2, "then": "queue"},
    "debounce": {"window": "5s", "max": "1m", "collect": False},
    "rate": {"limit": 5, "per": "1m", "then": "reject"},
    "priority": 3,
    "budget": {"steps": 5, "duration": "7d"},
    "egress": ["a.example"],
    "timeout": "1h",
    "steps": [
        {"id": "s1", "set": {"x": "${{ input.lines }}", "y": "n ${{ vars.a }}"}},
        {"id": "s2", "choose": [{"when": "${{ s1.y == 'n' }}", "steps": [], "output": 1}],
         "else": {"steps": [{"id": "s3", "wait": {"for": "1s"}}]}},
        {"id": "s4", "for_each": "${{ s1.x }}", "as": "one", "index_as": "nr", "concurrency": 3,
         "failures": "collect", "output": "${{ one }}", "steps": [
             {"id": "s5", "uses": "http-request@1", "timeout": "5s", "once": True,
              "with": {"url": "https://a.example/x", "json": {"a": ["${{ nr }}"]}},
              "retry": {"attempts": 2, "on": ["timeout", 429], "initial": "1s"}}]},
        {"id": "s6", "wait": {"until": "${{ now() }}"}},
        {"id": "s7", "parallel": {"p1": {"steps": [
            {"id": "s8", "wait": {"event": {"type": "custom.a", "match": "${{ event.data }}",
                                            "look_back": "1h"},
                                  "timeout": "1h", "on_timeout": "continue"}}], "output": 1}},
         "failures": "collect"},
        {"id": "s9", "try": {"steps": [
            {"id": "s10", "uses": "http-request@1", "with": {"url": "https://a.example"},
             "undo": {"uses": "http-request@1", "timeout": "5s", "retry": {"attempts": 2},
                      "with": {"url": "https://a.example", "json": "${{ s10.json }}"}}}]},
         "catch": [{"on": ["timeout"], "undo": False, "steps": [], "output": "${{ error.type }}"}],
         "finally": {"steps": [{"id": "s11", "workflow": "other", "version": 3, "with": {},
                                "detached": True}]}},
        {"id": "s12", "approval": {
            "by": ["role:admin"], "quorum": 2, "message": "${{ s1.x }}?", "timeout": "1h",
            "input": {"schema": {"type": "object"}, "value": {}}, "on_timeout": "approve",
            "on_reject": "continue", "remind": "5m", "not_the_starter": True}},
        {"id": "s13", "python": "return http_request(url=where)", "with": {"where": "${{ s1 }}"},
         "uses": ["http-request@1"], "timeout": "5s"},
        {"id": "s14", "for_each": {"uses": "http-request@1", "with": {"url": "https://a.example"},
                                   "items": "${{ page.json }}", "next": "${{ null }}", "limit": 9},
         "as": "row", "steps": []},
    ],
    "on_error": {"steps": [{"id": "s15", "set": {"x": "${{ error.message }}"}}]},
    "tests": [{"name": "t", "input": {}, "vars": {"a": "b"}, "mocks": {"s5": {"status": 200}},
               "expect": {"outcome": "failed", "error": {"type": "timeout"}, "steps": {"s1": 1},
                          "effects": [{"step": "s5"}], "output": 1}}],
    "output": {"all": "${{ s4 }}"},
}  # fmt: skip
ODD = st.one_of(
    st.sampled_from(
        [None, True, 0, 1, -1, 1.5, 2**62, "", "a", "1s", "${{", "${{ x }}", "${{ s1 }}", "}}"]
    ),
    st.sampled_from([[], {}, [[]], [{}], {"a": 1}, {"steps": []}, {"${{ a }}": 1}, "$${{ a }}"]),
    st.sampled_from(["s1", "input", "http-request@1", "x@0", "\0", "é" * 50, "a" * 300, "none"]),
    st.recursive(st.text(max_size=5), lambda inner: st.dictionaries(st.text(max_size=3), inner)),
)
WORDS = (
    *("set", "uses", "with", "steps", "else", "when", "id", "as", "wait", "python", "output"),
    *("parallel", "try", "approval", "workflow", "timeout", "undo", "event", "schedule"),
)
KEYS = st.one_of(st.sampled_from(WORDS), st.text(max_size=8))


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    keys: Any = value if isinstance(value, dict) else ()
    if isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        yield from paths(value[key], (*path, key))


PATHS = [path for path in paths(GOOD) if path]
CHANGE = st.tuples(st.sampled_from(PATHS), st.integers(0, 2), ODD, KEYS)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CHANGE, min_size=1, max_size=3))
def test_a_broken_document_is_answered_and_what_passes_fits_the_schema(changes):
    document = json.loads(json.dumps(GOOD))
    for path, way, odd, key in changes:
        change(document, path, way, odd, key)

    found = check(read_document(json.dumps(document), "json"), known=KNOWN)

    assert (found.document is None) == bool(found.problems)
    if found.document is not None:
        assert LANGUAGE.is_valid(document)


def change(document: Any, path: Path, way: int, odd: Any, key: str) -> None:
    """Replace a value, rename a key or take it away; nothing if it is gone already."""
    *above, last = path
    holder: Any = document
    for step in above:
        try:
            holder = holder[step]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(holder, dict) and last in holder:
        value = holder.pop(last)
        if way == 0:
            holder[last] = odd
        elif way == 1:
            holder[key] = value
    elif isinstance(holder, list) and isinstance(last, int) and last < len(holder):
        holder[last] = odd


def test_the_document_that_the_fuzzing_begins_with_is_good():
    found = check(read_document(json.dumps(GOOD), "json"), known=KNOWN)

    assert found.problems == []
    assert LANGUAGE.is_valid(GOOD)
