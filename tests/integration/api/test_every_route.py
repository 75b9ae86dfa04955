"""Every operation of /openapi.json: who may call it, what it does not know, what it refuses."""

from typing import Any

import httpx
import pytest
from tests_support.api import METHODS, Api
from tests_support.stack import until
from tests_support.walk import Findings, caller, content, nothing_changes, with_path
from tests_support.world import World

OWN_NAMES = ("store-secret", "set-variable")  # by names of the organization: nothing is foreign
OF_NOBODY = ("find-connector", "find-tile")


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    said = f"{answer.status_code} {answer.text[:400]}"
    assert (answer.status_code, answer.json().get("code")) == (status, code), said
    return answer.json()


def test_nobody_gets_in_without_a_credential(world: World) -> None:
    findings, nobody = Findings(), world.public
    with nothing_changes(world):
        for op in world.document.operations:
            if op.permission == "public":
                continue
            with findings.at(op.id):
                answer = nobody.ask(op.method, world.home.path(op), **content(op, world))
                is_problem(answer, 401, "not-signed-in")
    findings.none(60)


def test_a_revoked_an_expired_and_an_unknown_key_all_get_one_answer(world: World) -> None:
    soon = until_expired(world)
    revoked = world.key("workflows:read")
    listed = world.home.owner.get("/v1/api-keys?limit=1")["data"][0]
    assert world.home.owner.ask("DELETE", f"/v1/api-keys/{listed['id']}").status_code == 204
    findings = Findings()
    keys = {"revoked": revoked, "expired": soon, "unknown": world.public.with_token("troth_key_x")}
    with nothing_changes(world):
        for op in world.document.operations:
            if op.permission == "public":
                continue
            said = set()
            for name, key in keys.items():
                if name != "revoked" and op.method in ("GET", "POST"):
                    continue
                with findings.at(op.id, name):
                    answer = key.ask(op.method, world.home.path(op), **content(op, world))
                    problem = is_problem(answer, 401, "credential-invalid")
                    said.add(problem["detail"])
            with findings.at(op.id, "one answer"):
                assert len(said) == 1, said
    findings.none(120)


def until_expired(world: World) -> Api:
    """A key that was good and whose time is over."""
    from datetime import UTC, datetime, timedelta

    end = (datetime.now(UTC) + timedelta(seconds=1.5)).isoformat()
    key = world.key("workflows:read", expires_at=end)
    until(lambda: key.ask("GET", "/v1/workflows").status_code == 401)
    return key


def test_a_key_without_the_permission_is_told_which_one_it_is(world: World) -> None:
    findings = Findings()
    little, other = world.key("organizations:read"), world.key("members:read")
    with nothing_changes(world):
        for op in world.document.operations:
            if op.permission in ("public", "signed-in", "self"):
                continue
            with findings.at(op.id):
                who = other if op.permission == "organizations:read" else little
                answer = who.ask(op.method, world.home.path(op), **content(op, world))
                problem = is_problem(answer, 403, "permission-missing")
                assert problem["permission"] == op.permission
    findings.none(50)


@pytest.mark.parametrize("role", ["viewer", "runner", "builder", "auditor", "billing", "admin"])
def test_a_role_may_what_its_permissions_say_and_nothing_else(world: World, role: str) -> None:
    member = world.member(f"a-{role}", role)
    may = set(member.get("/v1/me")["permissions"])
    findings = Findings()
    with nothing_changes(world):
        for op in world.document.operations:
            if op.permission in ("public", "signed-in", "self") or op.permission in may:
                continue
            with findings.at(op.id):
                answer = member.ask(op.method, world.home.path(op), **content(op, world))
                assert is_problem(answer, 403, "permission-missing")["permission"] == op.permission
    for op in world.document.operations:
        if op.permission in may and op.method == "GET":
            with findings.at(op.id):
                answer = member.ask("GET", world.home.path(op))
                assert answer.status_code == 200, answer.text
    findings.none(20)


def test_who_was_removed_is_a_stranger(world: World) -> None:
    fay, owner = world.member("fay", "admin"), world.home.owner
    assert fay.ask("GET", "/v1/workflows").status_code == 200
    fay_id = next(m["person"] for m in owner.everything("/v1/members") if m["email"] == fay.email)
    assert owner.ask("DELETE", f"/v1/members/{fay_id}").status_code == 204
    for organization in (world.home.id, world.home.slug, "org_0000", "nobody-has-this"):
        answer = fay.ask("GET", "/v1/workflows", headers={"Troth-Organization": organization})
        is_problem(answer, 403, "permission-missing")
    is_problem(fay.ask("GET", "/v1/workflows"), 400, "organization-required")


def test_a_foreign_thing_and_one_that_never_was_get_the_same_answer(world: World) -> None:
    findings, owner = Findings(), world.home.owner
    with nothing_changes(world):
        for op in world.document.operations:
            names = op.names("path")
            everybodys = op.permission in ("public", "instance")  # an operator sees all there are
            if not names or op.id in (*OWN_NAMES, *OF_NOBODY) or everybodys:
                continue
            name = names[0]
            kind = f"name-of-{'secrets' if 'secrets' in op.path else 'variables'}"
            foreign = world.other.ids[kind if name == "name" else name]
            unknown = foreign[:-1] + ("0" if foreign[-1] != "0" else "1")
            with findings.at(op.id):
                answers = [
                    owner.ask(op.method, world.home.path(op, **{name: one}), **content(op, world))
                    for one in (foreign, unknown)
                ]
                problem = is_problem(answers[0], 404, "not-found")
                same = [{**answer.json(), "request_id": ""} for answer in answers]
                assert same[0] == same[1]
                assert foreign not in str(problem)
    findings.none(25)


def test_a_foreign_organization_and_one_that_never_was_get_the_same_answer(world: World) -> None:
    findings, owner = Findings(), world.home.owner
    for op in world.document.operations:
        if "Troth-Organization" not in op.names("header"):
            continue
        with findings.at(op.id):
            answers = [
                owner.ask(
                    op.method, world.home.path(op), **content(op, world)
                    | {"headers": content(op, world)["headers"] | {"Troth-Organization": name}},
                )
                for name in (world.other.slug if op.lists else world.other.id, "org_0000000000")
            ]  # fmt: skip
            assert {answer.status_code for answer in answers} == {403}
            assert len({str({**a.json(), "request_id": ""}) for a in answers}) == 1
    findings.none(50)


def test_an_unknown_parameter_is_refused_with_what_was_meant(world: World) -> None:
    findings = Findings()
    with nothing_changes(world):
        for op in world.document.operations:
            known = op.names("query")
            near = f"{known[0]}x" if known else "limitx"
            with findings.at(op.id):
                answer = caller(op, world).ask(
                    op.method,
                    f"{world.home.path(op)}{'&' if op.needed else '?'}{near}=1",
                    **content(op, world),
                )
                (error,) = is_problem(answer, 400, "unknown-parameter")["errors"]
                assert error["pointer"] == f"?{near}"
                assert error.get("did_you_mean") == (known[0] if known else None)
    findings.none(65)


def test_a_parameter_of_the_wrong_kind_is_refused_by_its_name(world: World) -> None:
    findings = Findings()
    for op in world.document.operations:
        for parameter in op.facts["parameters"]:
            if parameter["in"] != "query" or not _refuses_words(parameter["schema"]):
                continue
            name, path = parameter["name"], world.home.path(op)
            path += "&" if "?" in path else "?"
            with findings.at(op.id, name):
                answer = caller(op, world).ask("GET", f"{path}{name}=No%20such")
                (error, *_) = is_problem(answer, 400, "invalid-parameter")["errors"]
                assert error["pointer"].split("/")[0] == f"?{name}"
            with findings.at(op.id, name, "twice"):
                answer = caller(op, world).ask("GET", f"{path}{name}=1&{name}=1")
                is_problem(answer, 400, "invalid-parameter")
    findings.none(50)


def _refuses_words(schema: dict[str, Any]) -> bool:
    inner = schema.get("items", schema)
    return inner.get("type") != "string" or bool(inner.keys() & {"enum", "format", "pattern"})


def test_a_method_that_a_path_does_not_take_is_answered_with_those_it_takes(world: World) -> None:
    findings = Findings()
    paths = {op.path: op for op in world.document.operations}
    with nothing_changes(world):
        for path, op in paths.items():
            takes = {o.method for o in world.document.operations if o.path == path}
            for method in set(METHODS) - takes:
                if world.document.find(method, world.home.path(op)) is not None:
                    continue  # `check` could be a workflow's name as well
                with findings.at(method, path):
                    answer = world.home.owner.ask(method, world.home.path(op))
                    is_problem(answer, 405, "method-not-allowed")
                    assert takes <= set(answer.headers["allow"].split(", "))
    findings.none(100)


def test_an_answer_that_the_caller_can_not_read_is_not_given(world: World) -> None:
    findings = Findings()
    for op in world.document.operations:
        if op.answers_anything:
            continue
        with findings.at(op.id):
            given = content(op, world)
            given["headers"] = given["headers"] | {"Accept": "image/png"}
            answer = caller(op, world).ask(op.method, world.home.path(op), **given)
            is_problem(answer, 406, "not-acceptable")
    findings.none(65)


def test_every_get_answers_its_owner_with_what_it_documents(world: World) -> None:
    findings = Findings()
    for op in world.document.operations:
        if op.method != "GET":
            continue
        for organization in (world.home, world.other):
            if op.permission == "instance" and organization is world.other:
                continue
            with findings.at(op.id):
                answer = organization.owner.ask("GET", organization.path(op))
                assert answer.status_code == 200, answer.text
                if with_path(op) and "etag" in answer.headers:
                    tag = {"If-None-Match": answer.headers["etag"]}
                    again = organization.owner.ask("GET", organization.path(op), headers=tag)
                    assert (again.status_code, again.content) == (304, b"")
    findings.none(60)
