"""A walk over the OpenAPI document: what every route must answer, whatever it does."""

import re
from typing import Any

import pytest

from services.gateway import openapi
from services.gateway.catalogue import CATALOGUE

REAL = {"organization": "acme", "version": "1", "type": "http-request"}


def operations(world: Any) -> list[tuple[str, str, dict[str, Any]]]:
    paths = openapi.document(world.front.door.known.values())["paths"]
    return [(m.upper(), p, o) for p, methods in paths.items() for m, o in methods.items()]


def concrete(path: str) -> str:
    return re.sub(r"\{([a-z_]+)\}", lambda m: REAL.get(m[1], "x_1"), path)


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    if "requestBody" not in operation:
        return {}
    kind = next(iter(operation["requestBody"]["content"]))
    return {"content": b"{}", "headers": {"Content-Type": kind}}


async def test_every_route_but_the_public_ones_wants_to_know_who_calls(world: Any) -> None:
    for method, path, operation in operations(world):
        answer = await world.http.request(method, concrete(path), **body_of(operation))
        if operation["x-permission"] == "public":
            assert answer.status_code != 401, path
        else:
            assert (answer.status_code, answer.json()["code"]) == (401, "not-signed-in"), path


async def test_every_route_names_the_permission_that_is_missing(world: Any) -> None:
    world.may()
    for method, path, operation in operations(world):
        permission = operation["x-permission"]
        if ":" not in permission and permission != "instance":
            continue
        answer = await world.ask(method, concrete(path), **body_of(operation))
        assert answer.status_code == 403, path
        assert answer.json()["permission"] == permission


async def test_every_route_refuses_parameters_that_it_does_not_know(world: Any) -> None:
    world.may(*all_permissions(world), instance_operator=True)
    for method, path, operation in operations(world):
        answer = await world.ask(method, concrete(path) + "?nobody=1", **body_of(operation))
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown-parameter"), path


async def test_every_body_refuses_fields_that_it_does_not_know(world: Any) -> None:
    world.may(*all_permissions(world), instance_operator=True)
    for method, path, operation in operations(world):
        content = operation.get("requestBody", {}).get("content", {})
        if not content or {"application/yaml", "*/*"} & set(content):
            continue
        kind = next(iter(content))
        headers = {"Content-Type": kind, "If-Match": '"1"'}
        answer = await world.ask(method, concrete(path), content=b'{"zzz": 1}', headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-input"), path
        assert "/zzz" in [error["pointer"] for error in answer.json()["errors"]], path


async def test_every_route_answers_only_what_it_documents(world: Any) -> None:
    world.may(*all_permissions(world), instance_operator=True)
    for method, path, operation in operations(world):
        answer = await world.ask(method, concrete(path), **body_of(operation))
        if answer.json()["code"] == "not-found":
            continue  # what the services of this test answer to everything
        assert str(answer.status_code) in operation["responses"], (method, path, answer.text)
        codes = operation["responses"][str(answer.status_code)].get("x-codes", [])
        assert answer.json()["code"] in codes, (method, path)


def all_permissions(world: Any) -> list[str]:
    found = {operation["x-permission"] for _, _, operation in operations(world)}
    return sorted(permission for permission in found if ":" in permission)


@pytest.mark.parametrize("code", sorted(CATALOGUE))
async def test_every_code_is_explained(world: Any, code: str) -> None:
    answer = await world.http.get(f"/problems/{code}")
    assert answer.status_code == 200
    assert f"<code>{code}</code>" in answer.text
    assert "What to do" in answer.text
