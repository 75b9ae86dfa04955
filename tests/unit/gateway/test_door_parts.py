"""Cursors, problems, routes without permission, and answers that are kept."""

import asyncio
import json
import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from libs.common.errors import DomainError, FieldProblem, InvalidInput, Malformed, Unavailable
from services.gateway import app as gateway_app
from services.gateway import cursors, problems
from services.gateway.access import MemberReader
from services.gateway.catalogue import CATALOGUE, EVERYWHERE
from services.gateway.kept import Kept
from services.gateway.refusals import CursorMismatch
from services.gateway.routing import Routes, RouteWithoutPermission, know

KEY = b"i" * 32


@given(st.text(max_size=300), st.text(max_size=20))
def test_a_cursor_gives_back_the_place_it_was_made_for(place: str, organization: str) -> None:
    mark = cursors.mark_of(KEY, organization, "/v1/x", {"status": "failed", "limit": "2"})
    same = cursors.mark_of(KEY, organization, "/v1/x", {"limit": "9", "status": "failed"})
    assert cursors.decode(KEY, same, cursors.encode(KEY, mark, place)) == place


@pytest.mark.parametrize("other", [
    ("org_2", "/v1/x", {"a": "1"}), ("org_1", "/v1/y", {"a": "1"}), ("org_1", "/v1/x", {"a": "2"}),
    ("org_1", "/v1/x", {}), ("org_1", "/v1/x", {"a": "1", "order": "asc"}),
])  # fmt: skip
def test_a_cursor_is_refused_elsewhere(other: Any) -> None:
    made = cursors.encode(KEY, cursors.mark_of(KEY, "org_1", "/v1/x", {"a": "1"}), "place")
    with pytest.raises(CursorMismatch):
        cursors.decode(KEY, cursors.mark_of(KEY, *other), made)


@given(st.text(max_size=120))
def test_a_cursor_that_we_never_made_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        cursors.decode(KEY, b"m" * 12, text)


def test_the_place_in_a_cursor_can_not_be_changed() -> None:
    mark = cursors.mark_of(KEY, "org_1", "/v1/x", {})
    made = cursors.encode(KEY, mark, "place-1")
    for n in range(len(made)):
        changed = made[:n] + ("A" if made[n] != "A" else "B") + made[n + 1 :]
        with pytest.raises(Malformed):
            cursors.decode(KEY, mark, changed)


def test_a_problem_has_its_kinds_status_and_at_most_fifty_errors() -> None:
    errors = [FieldProblem(pointer=f"/{n}", rule="r", detail="d") for n in range(60)]
    status, headers, body = problems.render(InvalidInput("60 do not fit", errors=errors), "req_1")
    shown = json.loads(body)
    assert (status, shown["status"], shown["code"]) == (422, 422, "invalid-input")
    assert (len(shown["errors"]), shown["more"]) == (50, True)
    assert (b"content-type", b"application/problem+json") in headers


def test_a_fault_of_ours_shows_its_request_id_only() -> None:
    class Broken(DomainError):
        kind = code = "internal"

    status, _, body = problems.render(Broken("password=hunter2", at="/etc/x"), "req_1")
    assert status == 500
    assert b"hunter2" not in body and b"/etc" not in body and b"req_1" in body


def test_an_extra_can_not_overwrite_what_a_problem_is() -> None:
    status, headers, body = problems.render(Unavailable("x", status=200, part="bus"), "req_1")
    assert status == 503
    assert b'"status":503' in body and b'"part":"bus"' in body
    assert (b"retry-after", b"2") in headers


def test_every_code_that_a_service_can_raise_is_explained() -> None:
    root = Path(gateway_app.__file__).parents[2]
    files = [*(root / "services").rglob("*.py"), *(root / "libs" / "common").rglob("*.py")]
    said = re.compile(r'^    code(?:: \w+)? = "([a-z-]+)"', re.MULTILINE)
    codes = {code for file in files for code in said.findall(file.read_text())}
    assert len(codes) > 40
    assert codes - set(CATALOGUE) == set()
    assert set(EVERYWHERE) <= set(CATALOGUE)


def test_the_application_does_not_start_with_a_route_that_does_not_say_who_may() -> None:
    routes = Routes("x")

    @routes.get("/open", None)
    async def open_to_whom() -> Response:
        return Response()

    with pytest.raises(RouteWithoutPermission, match="/open"):
        know(routes.router.routes)


def test_a_routes_permission_is_read_from_its_signature() -> None:
    routes = Routes("x")

    async def more() -> dict[str, Any]:
        return {}

    @routes.get("/members", None)
    async def members(call: MemberReader, given: Annotated[dict[str, Any], Depends(more)]) -> None:
        return None

    [known] = know(routes.router.routes).values()
    assert (known.permission, known.operation) == ("members:read", "members")


async def test_what_is_kept_is_asked_once_however_many_wait() -> None:
    asked: list[str] = []

    async def ask(key: str) -> str:
        asked.append(key)
        await asyncio.sleep(0)
        return key.upper()

    kept = Kept(ask, 60.0)
    assert await asyncio.gather(*[kept.get("a") for _ in range(5)]) == ["A"] * 5
    assert asked == ["a"]
    kept.drop(lambda key, value: value == "A")
    assert kept.at_hand("a") is None
    assert await kept.get("a") == "A"
    assert asked == ["a", "a"]


async def test_an_answer_that_was_under_way_when_it_was_dropped_is_not_kept() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def ask(key: str) -> str:
        begun.set()
        await go.wait()
        return "old"

    kept = Kept(ask, 60.0)
    waiting = asyncio.create_task(kept.get("a"))
    await begun.wait()
    kept.clear()
    go.set()
    assert await waiting == "old"
    assert kept.at_hand("a") is None


async def test_a_refusal_is_not_kept() -> None:
    answers: list[Any] = [Unavailable("x"), "good"]

    async def ask(key: str) -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    kept = Kept(ask, 60.0)
    with pytest.raises(Unavailable):
        await kept.get("a")
    assert await kept.get("a") == "good"
