"""Every list: its limits, its cursors, and three pages of it while rows are added."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests_support.api import YAML, Api, Operation
from tests_support.stack import until
from tests_support.walk import Findings, caller
from tests_support.world import World, asked, greeter

ROWS = 4


def lists(world: World) -> list[Operation]:
    return [op for op in world.document.operations if op.lists]


def test_a_limit_is_one_to_two_hundred(world: World) -> None:
    findings = Findings()
    for op in lists(world):
        for limit in ("0", "201", "-1", "1.5", "many", ""):
            with findings.at(op.id, limit):
                answer = caller(op, world).ask("GET", f"{world.home.path(op)}?limit={limit}")
                assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter")
                assert answer.json()["errors"][0]["pointer"] == "?limit"
        with findings.at(op.id, 200):
            assert caller(op, world).get(f"{world.home.path(op)}?limit=200")["data"] is not None
    findings.none(100)


def test_a_cursor_holds_only_for_the_list_and_filters_that_it_was_given_with(
    world: World,
) -> None:
    findings = Findings()
    plans = world.public.get("/v1/plans?limit=1")["next_cursor"]
    made_up = base64.urlsafe_b64encode(b"x" * 40).decode().rstrip("=")
    for op in lists(world):
        path, who = world.home.path(op), caller(op, world)
        own = who.get(f"{path}?limit=1")["next_cursor"]
        cursors = {"never made": made_up, "no cursor": "%F0%9F", "empty": ""}
        for kind, cursor in cursors.items():
            with findings.at(op.id, kind):
                answer = who.ask("GET", f"{path}?cursor={cursor}")
                assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter")
        if op.id != "find-plans":
            with findings.at(op.id, "of another list"):
                answer = who.ask("GET", f"{path}?cursor={plans}")
                assert (answer.status_code, answer.json()["code"]) == (400, "cursor-mismatch")
        if own is not None:
            with findings.at(op.id, "of another order"):
                answer = who.ask("GET", f"{path}?cursor={own}&order=asc")
                assert (answer.status_code, answer.json()["code"]) == (400, "cursor-mismatch")
            with findings.at(op.id, "with another limit"):
                who.get(f"{path}?cursor={own}&limit=7")
            with findings.at(op.id, "changed"):
                place = len(own) // 2
                other = own[:place] + ("A" if own[place] != "A" else "B") + own[place + 1 :]
                answer = who.ask("GET", f"{path}?cursor={other}")
                assert answer.status_code == 400, answer.text
    findings.none(60)


def test_a_cursor_of_one_organization_is_worth_nothing_in_another(world: World) -> None:
    foreign = world.other.owner.get("/v1/audit/events?limit=1")["next_cursor"]
    answer = world.home.owner.ask("GET", f"/v1/audit/events?cursor={foreign}")
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor-mismatch")


def test_a_page_names_the_next_one_in_its_link(world: World) -> None:
    answer = world.home.owner.ask("GET", "/v1/audit/events?limit=2&type=identity.*")
    cursor = answer.json()["next_cursor"]
    target, _, relation = answer.headers["link"].partition("; ")
    assert relation == 'rel="next"'
    following = world.home.owner.get(target.strip("<>"))
    assert following == world.home.owner.get(
        f"/v1/audit/events?limit=2&type=identity.*&cursor={cursor}"
    )


# -- three pages while rows are added ------------------------------------------------------------


def workflow(api: Api, name: str, path: str | None = None) -> Any:
    return api.post("/v1/workflows", content=greeter(name, path).encode(),
                    headers={"content-type": YAML})  # fmt: skip


def adders(world: World) -> dict[str, Callable[[int], Any]]:
    """For each list that callers can make longer: how; the number makes names unique."""
    api, ids = world.home.owner, world.home.ids
    path = f"/v1/workflows/{ids['workflow']}"
    wait = {"headers": {"Prefer": "wait=10"}}

    def members(n: int) -> None:
        world.member(f"m-{n}", "viewer")

    def publish(n: int) -> None:
        tag = api.ask("GET", f"{path}/draft").headers["etag"]
        text = greeter(f"greeter-{world.home.slug[:20]}", "greeter") + f"# {n}\n"
        saved = api.ask("PUT", f"{path}/draft", content=text.encode(),
                        headers={"If-Match": tag, "Content-Type": YAML})  # fmt: skip
        version = int(saved.headers["etag"].strip('"'))
        api.post(f"{path}/publish", {"draft_version": version})

    def subscribe(n: int) -> None:
        url = f"http://{world.receiver}/list/{n}"
        api.post("/v1/event-subscriptions", {"url": url, "types": ["billing.event.*"]})

    def start(n: int) -> None:
        api.post(f"{path}/executions", {"input": {"who": str(n)}}, **wait)

    def variable(n: int) -> None:
        api.put(f"/v1/variables/v-{n}", {"value": n})

    def review(n: int) -> None:
        made = workflow(api, f"review-{n}")
        api.post(f"/v1/workflows/{made['id']}/reviews", {"draft_version": 1})

    def invite(n: int) -> None:
        api.post("/v1/invitations", {"email": f"i-{n}@example.com", "role": "viewer"})

    return {
        "find-approvals": lambda n: asked(api, ids["asks"]),
        "find-operations": lambda n: api.post(
            "/v1/executions/cancel", {"filter": {"label": ["team:nobody"]}}
        ),
        "find-reviews": review,
        "find-invitations": invite,
        "find-api-keys": lambda n: api.post(
            "/v1/api-keys", {"name": str(n), "scopes": ["members:read"]}
        ),
        "find-workflows": lambda n: workflow(api, f"list-{n}"),
        "find-versions": publish,
        "find-members": members,
        "find-organizations": lambda n: api.post("/v1/organizations", {"name": f"list {n}"}),
        "find-secrets": lambda n: api.put(f"/v1/secrets/s-{n}", {"value": "x"}),
        "find-variables": variable,
        "find-subscriptions": subscribe,
        "find-executions": start,
        "find-calls": start,
        "find-entries": variable,
        "find-events": variable,
        "find-deliveries": lambda n: api.post(
            f"/v1/event-subscriptions/{ids['subscription']}/test"
        ),
    }  # fmt: skip


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    import itertools
    import time

    return itertools.count(int(time.time()) % 100_000 * 1000)


ADDED = [
    "find-api-keys", "find-workflows", "find-versions", "find-members", "find-secrets",
    "find-variables", "find-subscriptions", "find-executions", "find-calls", "find-entries",
    "find-events", "find-deliveries", "find-reviews", "find-approvals", "find-operations",
    "find-invitations",
]  # fmt: skip


@pytest.mark.parametrize("name", ADDED)
@pytest.mark.parametrize("order", ["desc", "asc"])
def test_pages_have_no_gap_and_no_repeat_while_rows_are_added(
    world: World, name: str, order: str, numbers: Iterator[int]
) -> None:
    op, add = world.document[name], adders(world)[name]
    api, path = world.home.owner, f"{world.home.path(world.document[name])}?order={order}"
    while len(api.everything(path)) < ROWS:
        add(next(numbers))
        world.stack.settled()
    world.stack.settled()
    before = [stable(row) for row in api.everything(path)]
    limit = max(1, min(60, len(before) // 3))
    page, seen = api.get(f"{path}&limit={limit}"), []
    pages = 1
    for _ in range(100):
        seen += [stable(row) for row in page["data"]]
        if page["next_cursor"] is None or len(seen) >= len(before) + 2:
            break
        if pages < 3:
            add(next(numbers))
            until(lambda: not world.stack.behind())
        page = api.get(f"{path}&limit={limit}&cursor={page['next_cursor']}")
        pages += 1
    assert pages >= 3, op.id
    assert len(seen) == len(set(seen)), "a row came twice"
    if order == "desc":
        assert [row for row in seen if row in set(before)] == before
    else:
        assert seen[: len(before)] == before


def stable(row: dict[str, Any]) -> str:
    """What names a row, whatever becomes of it."""
    for name in ("id", "person", "name", "version"):
        if isinstance(row.get(name), str | int):
            return str(row[name])
    raise AssertionError(f"a row that nothing names: {row}")


STATIC = [
    "find-plans", "list-connectors", "find-event-types", "usage-in-period", "find-timeline",
    "find-notifications", "find-triggers", "find-organizations", "find-effects",
    "find-operation-result", "find-digests", "find-verifier-keys",
    "find-siem-streams", "find-holds", "find-held-entries",
]  # fmt: skip
# Made longer by whatever happens: see test_audit_proofs.py and test_six_categories.py.
GROWING = ["find-checkpoints", "find-instance-entries"]


@pytest.mark.parametrize("name", STATIC)
def test_a_list_in_pages_is_the_list(world: World, name: str) -> None:
    op = world.document[name]
    api = caller(op, world)
    path = world.home.path(op)
    for order in ("desc", "asc"):
        whole = api.everything(f"{path}?order={order}")
        assert api.everything(f"{path}?order={order}", limit=1) == whole
    backwards = api.everything(f"{path}?order=desc")
    assert backwards == list(reversed(api.everything(f"{path}?order=asc")))


def test_every_list_is_looked_at_here(world: World) -> None:
    assert {op.id for op in lists(world)} == set(ADDED) | set(STATIC) | set(GROWING)
