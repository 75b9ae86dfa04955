"""The style of the API on a real bus: idempotency, versions, lists, bodies, limits, headers."""

import json
from typing import Any

import pytest

from libs.common.bus import reply
from services.executor.contract import FindExecution, FindExecutions
from services.executor.work import StartAnswer
from services.identity.contract import (
    CreateApiKey,
    FoundOrganization,
)
from services.workflows.contract import (
    DraftShown,
    DraftWorkflow,
    FindDraft,
    FindTrigger,
    FindWorkflow,
    SaveDraft,
    TriggerFound,
)

KEY = {"Idempotency-Key": "k-1"}


def organization(name: str) -> dict[str, Any]:
    return {"id": "org_2", "slug": "two", "name": name, "founded_at": "2026-01-01T00:00:00Z",
            "created_by": "per_1"}  # fmt: skip


async def test_a_key_becomes_the_command_id_of_caller_path_and_body(world: Any) -> None:
    world.may()
    world.on(FoundOrganization, lambda m, meta: organization(m.name))
    for name, key in (("A", "k-1"), ("A", "k-1"), ("B", "k-1"), ("A", "k-2")):
        headers = {"Idempotency-Key": key}
        answer = await world.ask("POST", "/v1/organizations", json={"name": name}, headers=headers)
        assert answer.status_code == 201
        assert answer.headers["location"] == "/v1/organizations/org_2"
    one, again, other_body, other_key = world.metas(FoundOrganization)
    assert one.command_id == again.command_id == other_body.command_id != other_key.command_id
    assert one.command_digest == again.command_digest != other_body.command_digest
    assert "k-1" not in one.command_id


async def test_a_repetition_says_that_it_is_one(world: Any) -> None:
    world.may("api-keys:manage")
    shown = {"id": "key_1", "name": "ci", "scopes": ["a:b"], "created_by": "per_1",
             "created_at": "2026-01-01T00:00:00Z", "expires_at": None, "last_used_at": None,
             "revoked_at": None, "token": None}  # fmt: skip
    world.on(CreateApiKey, lambda m, meta: reply(shown, 4, replayed=True))
    body = {"name": "ci", "scopes": ["a:b"]}
    answer = await world.ask("POST", "/v1/api-keys", json=body, headers=KEY)
    assert answer.headers["idempotency-replayed"] == "true"
    assert (answer.headers["etag"], answer.json()) == ('"4"', shown)


async def test_while_the_first_still_runs_the_second_gets_409(world: Any) -> None:
    world.may()
    world.front.door.in_flight = _Full()
    answer = await world.ask("POST", "/v1/organizations", json={"name": "A"}, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency-key-in-use")
    assert answer.headers["retry-after"] == "1"


class _Full(set[str]):
    """As if every command were under way."""

    def __contains__(self, _: object) -> bool:
        return True


async def test_a_list_is_followed_by_its_cursor_and_only_with_its_filters(world: Any) -> None:
    world.may("executions:read")
    pages = {None: {"data": [], "next": "here"}, "here": {"data": [], "next": None}}
    world.on(FindExecutions, lambda m, meta: pages[m.after])
    path = "/v1/executions?status=failed,cancelled&limit=2&from=2026-01-01T00:00:00Z"
    first = await world.ask("GET", path)
    cursor = first.json()["next_cursor"]
    assert f"cursor={cursor}" in first.headers["link"]
    assert first.headers["link"].endswith('; rel="next"')
    query = world.heard(FindExecutions)[0]
    assert (query.status, query.limit) == (["failed", "cancelled"], 2)
    assert query.from_at is not None
    second = await world.ask("GET", f"{path}&cursor={cursor}")
    assert second.json() == {"data": [], "next_cursor": None}
    assert "link" not in second.headers
    other = await world.ask("GET", f"/v1/executions?status=failed&cursor={cursor}")
    assert (other.status_code, other.json()["code"]) == (400, "cursor-mismatch")
    forged = await world.ask("GET", f"{path}&cursor=abcd")
    assert (forged.status_code, forged.json()["code"]) == (400, "invalid-parameter")


@pytest.mark.parametrize(("query", "code", "pointer"), [
    ("limit=0", "invalid-parameter", "?limit"), ("limit=201", "invalid-parameter", "?limit"),
    ("limit=x", "invalid-parameter", "?limit"), ("limt=1", "unknown-parameter", "?limt"),
    ("status=gone", "invalid-parameter", "?status"),
    ("limit=1&limit=2", "invalid-parameter", "?limit"),
    ("expand=nothing", "invalid-parameter", "?expand"), ("from=x", "invalid-parameter", "?from"),
    ("key=" + ",".join("a" * 21), "invalid-parameter", "?key"),
])  # fmt: skip
async def test_a_parameter_that_does_not_fit_is_pointed_at(
    world: Any, query: str, code: str, pointer: str
) -> None:
    world.may("executions:read")
    answer = await world.ask("GET", f"/v1/executions?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["errors"][0]["pointer"] == pointer
    if query == "limt=1":
        assert answer.json()["errors"][0]["did_you_mean"] == "limit"


@pytest.mark.parametrize(("content", "kind", "status", "code"), [
    (b'{"name": 5}', "application/json", 422, "invalid-input"),
    (b'{"nam": "A"}', "application/json", 422, "invalid-input"),
    (b"[]", "application/json", 422, "invalid-input"),
    (b"{", "application/json", 400, "malformed-json"),
    (b'{"name": "A", "name": "B"}', "application/json", 400, "malformed-json"),
    (b"name=A", "application/x-www-form-urlencoded", 415, "media-type-unsupported"),
    (b"", "application/json", 400, "malformed-json"),
    (b'"' + b"a" * 256 * 1024 + b'"', "application/json", 413, "body-too-large"),
])  # fmt: skip
async def test_a_body_that_does_not_fit_is_refused_before_any_service_is_asked(
    world: Any, content: bytes, kind: str, status: int, code: str
) -> None:
    world.may()
    answer = await world.ask(
        "POST", "/v1/organizations", content=content, headers={"Content-Type": kind}
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert world.heard(FoundOrganization) == []
    if b"nam" in content and status == 422 and b"5" not in content:
        found = {e["pointer"]: e for e in answer.json()["errors"]}
        assert found["/nam"]["did_you_mean"] == "name"
    if status == 413:
        assert answer.json()["limit_bytes"] == 256 * 1024


async def test_a_draft_is_saved_with_if_match_and_read_byte_for_byte(world: Any) -> None:
    world.may("workflows:read", "workflows:edit")
    text = "troth: 1\nname: a # ü\n"
    shown = DraftShown.model_validate(
        {"workflow": "wf_1", "version": 7, "media": "yaml", "document": text,
         "size_bytes": 21, "saved_at": "2026-01-01T00:00:00Z", "saved_by": "per_1"}
    )  # fmt: skip
    world.on(FindDraft, lambda m, meta: reply(shown, 7))
    world.on(SaveDraft, lambda m, meta: reply({"id": "wf_1"}, 8))
    path = "/v1/workflows/a/draft"
    got = await world.ask("GET", path)
    assert got.content == text.encode()
    assert (got.headers["etag"], got.headers["content-type"]) == ('"7"', "application/yaml")
    same = await world.ask("GET", path, headers={"If-None-Match": '"7"'})
    assert (same.status_code, same.content) == (304, b"")
    yaml = {"Content-Type": "application/yaml"}
    bare = await world.ask("PUT", path, content=text.encode(), headers=yaml)
    assert bare.status_code == 428
    kept = await world.ask("PUT", path, content=text.encode(), headers=yaml | {"If-Match": '"7"'})
    assert (kept.status_code, kept.headers["etag"]) == (200, '"8"')
    new = await world.ask("PUT", path, content=text.encode(), headers=yaml | {"If-None-Match": "*"})
    assert (new.status_code, new.headers["location"]) == (201, "/v1/workflows/a")
    saved, made = world.heard(SaveDraft)
    assert (saved.document, saved.media) == (text, "yaml") == (made.document, made.media)
    assert [meta.expected_version for meta in world.metas(SaveDraft)] == [7, 0]


async def test_a_document_may_be_json_too_and_nothing_else(world: Any) -> None:
    world.may("workflows:edit")
    world.on(DraftWorkflow, lambda m, meta: reply({"id": "wf_1"}, 1))
    answer = await world.ask("POST", "/v1/workflows", json={"troth": 1})
    assert (answer.status_code, answer.headers["location"]) == (201, "/v1/workflows/wf_1")
    assert json.loads(world.heard(DraftWorkflow)[0].document) == {"troth": 1}
    wrong = await world.ask("POST", "/v1/workflows", content=b"x", headers={"Content-Type": "a/b"})
    assert wrong.status_code == 415


async def test_a_verb_without_fields_takes_an_empty_body_only(world: Any) -> None:
    world.may("workflows:publish")
    path = "/v1/workflows/a/enable"
    assert (await world.ask("POST", path)).status_code == 404
    assert (await world.ask("POST", path, json={})).status_code == 404
    assert (await world.ask("POST", path, json={"now": True})).status_code == 422


async def test_an_id_that_can_not_be_is_not_found(world: Any) -> None:
    world.may("executions:read", "members:manage")
    answer = await world.ask("GET", "/v1/executions/wf_1")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert (await world.ask("DELETE", "/v1/members/UPPER")).status_code == 404


async def test_an_expansion_puts_the_thing_in_place_of_its_id(world: Any) -> None:
    world.may("executions:read", "workflows:read")
    world.on(FindExecution, lambda m, meta: {"id": m.execution_id, "workflow": "wf_1"})
    world.on(FindExecutions, lambda m, meta: {"data": [{"workflow": "wf_1"}] * 3, "next": None})
    world.on(FindWorkflow, lambda m, meta: {"id": "wf_1", "name": "a"})
    one = await world.ask("GET", "/v1/executions/exe_1?expand=workflow")
    assert one.json() == {"id": "exe_1", "workflow": {"id": "wf_1", "name": "a"}}
    many = await world.ask("GET", "/v1/executions?expand=workflow&workflow=a")
    assert [each["workflow"]["name"] for each in many.json()["data"]] == ["a"] * 3
    assert world.heard(FindExecutions)[0].workflow == ["wf_1"]


async def test_an_execution_started_by_hand_waits_as_long_as_preferred(world: Any) -> None:
    world.may("executions:start")
    world.on(FindTrigger, lambda m, meta: trigger())
    path = "/v1/workflows/a/executions"
    answer = await world.ask("POST", path, json={"input": {"n": 1}}, headers=KEY)
    start = world.started[0]
    assert answer.status_code == 202
    assert answer.json() == {"execution": start.execution, "call": start.call,
                             "outcome": None, "error_type": None}  # fmt: skip
    assert answer.headers["location"] == f"/v1/executions/{start.execution}"
    assert (start.kind, start.workflow, start.actor) == ("manual", "wf_1", "per_1")
    world.starting = lambda s: [
        StartAnswer("finished", s.execution, s.call, outcome="succeeded", output={"x": 1})
    ]
    ended = await world.ask(
        "POST", path, json={"input": {"n": 1}}, headers=KEY | {"Prefer": "wait=90"}
    )
    assert (ended.status_code, ended.json()["outcome"]) == (200, "succeeded")
    assert ended.headers["preference-applied"] == "wait=60"
    assert "output" not in ended.json()
    assert world.started[1].execution == start.execution


def trigger() -> TriggerFound:
    return TriggerFound.model_validate(
        {"workflow_id": "wf_1", "name": "a", "workflow_version": 1, "latest": 1, "enabled": True,
         "archived": False, "document": "v1.k.n.c", "document_digest": "d", "language": 1,
         "triggers": [], "connectors": [], "hosts": [], "secrets": [], "variables": [],
         "labels": {}}
    )  # fmt: skip
