"""The log is the truth: every view is emptied and made again, and every GET answers as before."""

import time
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tests_support.stack import OWNERS
from tests_support.world import Organization, World

from cli.services import schemas

# Their answers are of this moment: how far the trail is, and how far it is signed for, which is no
# view. An entry that only carries the trail away waits for that until the full hour.
OF_THE_MOMENT = {
    "find-completeness", "find-checkpoint", "find-checkpoints", "find-consistency", "find-digests",
    "find-proof", "find-tile", "find-siem-state", "find-holds", "find-held-entries",
}  # fmt: skip
GROWING = {"/v1/audit/events", "/v1/instance/audit-events", "/v1/events"}
FILTERS = {
    "find-executions": ("status=succeeded,failed", "order=asc", "expand=workflow"),
    "find-calls": ("outcome=started", "outcome=refused,unmatched", "order=asc"),
    "find-workflows": ("archived=true", "enabled=false", "label=team:tests", "q=greet"),
    "usage-in-period": ("by=day", "by=workflow,kind", "order=asc"),
    "find-events": ("order=asc", "type=executor.event.*"),
    "find-entries": ("order=asc", "type=identity.*", "outcome=refused", "category=execution"),
    "find-deliveries": ("outcome=delivered", "order=asc"),
    "find-workflow": ("expand=draft,published",),
    "find-execution": ("expand=workflow,steps",),
}  # fmt: skip
THINGS = {
    # the list that names them, and the parameter that they fill in
    "/v1/workflows": "workflow", "/v1/executions": "execution", "/v1/trigger-calls": "call",
    "/v1/event-subscriptions": "subscription", "/v1/audit/events": "event",
}  # fmt: skip
LOOKED_AT, LONG_PAGES = 12, "limit=200"
Answer = tuple[int, bytes, str | None]


def answers(world: World, organization: Organization, until: str) -> dict[str, Answer]:
    """Every GET of every thing, with filters; up to `until` where that grows by itself."""
    api, found = organization.owner, {}
    named = {
        name: [row["id"] for row in api.everything(_before(path, until))]
        for path, name in THINGS.items()
    }

    def keep(path: str) -> httpx.Response:
        answer = api.ask("GET", path)
        body = answer.content
        if answer.status_code == 404:  # a draft that was never published has no version 1
            body = body.replace(answer.headers["troth-request-id"].encode(), b"")
        found[path] = (answer.status_code, body, answer.headers.get("etag"))
        return answer

    for op in world.document.operations:
        if op.method != "GET" or op.id in OF_THE_MOMENT:
            continue
        if op.permission == "instance" and organization is world.other:
            continue
        for path in _paths(op, organization, named):
            for query in ("", *FILTERS.get(op.id, ())):
                asked = "&".join(filter(None, (query, LONG_PAGES if op.lists else "")))
                first = following = _before(f"{path}?{asked}" if asked else path, until)
                while following:
                    answer = keep(following)
                    assert answer.status_code in (200, 404), (following, answer.text)
                    following = _following(first, answer) if op.lists else None
    return found


def _following(first: str, answer: httpx.Response) -> str | None:
    cursor = answer.json()["next_cursor"]
    if cursor is None or not answer.json()["data"]:
        return None
    return f"{first}{'&' if '?' in first else '?'}cursor={cursor}"


def _before(path: str, until: str) -> str:
    """Looking at things is recorded as well: the trail and the feed up to a moment."""
    if path.partition("?")[0] not in GROWING:
        return path
    return f"{path}{'&' if '?' in path else '?'}to={quote(until)}"


def _paths(op: Any, organization: Organization, named: dict[str, list[str]]) -> list[str]:
    names = op.names("path")
    if names and names[0] in named:
        things = named[names[0]][:LOOKED_AT]
        return [organization.path(op, **{names[0]: one}) for one in things]
    return [organization.path(op)]


def empty_every_view(world: World) -> int:
    """As `Reader.reset` of every reader; the number of rows that are gone.

    The trail is no view: its readers begin anew, and everything stands in it already.
    """
    gone = 0
    with world.stack.only_postgres() as connect:
        for schema in schemas():
            with connect(schema.service) as database:
                tables = [t.name for p in schema.projections for t in p.tables]
                for table in tables:
                    gone += database.execute(f"delete from {table}").rowcount
                    (left,) = database.execute(f"select count(*) from {table}").fetchone()
                    assert left == 0
                database.execute(
                    "update readers set n = 0, incarnation = 0, error = null, stopped_at = null"
                    " where name = any(%s)", ([p.name for p in schema.projections],),
                )  # fmt: skip
    return gone


def use(world: World, organization: Organization) -> None:
    """More than the world began with: what is changed, ended, removed, refused, sent again."""
    api, ids = organization.owner, organization.ids
    api.put("/v1/variables/temporary", {"value": 1})
    api.put("/v1/variables/temporary", {"value": {"two": 2}})
    api.put("/v1/secrets/temporary", {"value": "x"})
    assert api.ask("DELETE", "/v1/secrets/temporary").status_code == 204
    key = api.post("/v1/api-keys", {"name": "revoked", "scopes": ["members:read"]})
    world.public.with_token(key["token"]).get("/v1/members")
    assert api.ask("DELETE", f"/v1/api-keys/{key['id']}").status_code == 204
    path = f"/v1/workflows/{ids['workflow']}"
    api.post(f"{path}/disable")
    world.public.client.post(f"/hooks/{organization.id}/greeter", json={"who": "nobody"})
    api.post(f"{path}/enable")
    api.post(f"{path}/executions", {"input": {"who": "me"}}, headers={"Prefer": "wait=10"})
    refused = api.ask("POST", f"{path}/executions", {"input": {"who": 1}})
    assert refused.status_code == 422, refused.text
    api.post(f"/v1/trigger-calls/{ids['call']}/resend")
    api.post(f"/v1/notifications/{ids['notification']}/read")
    api.post(f"/v1/event-subscriptions/{ids['subscription']}/rotate-secret")


@pytest.mark.timeout(180)
def test_every_get_answers_the_same_after_every_view_was_made_again(world: World) -> None:
    both = (world.home, world.other)
    for organization in both:
        use(world, organization)
    time.sleep(1.2)  # the door reports the use of keys once a second
    world.stack.settled()
    world.stack.quiet()
    moment = world.stack.now()
    before = [answers(world, organization, moment) for organization in both]
    assert min(len(found) for found in before) > 80
    assert sum(status == 200 for status, _, _ in before[0].values()) > 100
    address = world.stack.address
    world.stack.stop()
    gone = empty_every_view(world)
    world.stack.start()
    assert gone > 100
    assert world.stack.address == address
    world.stack.settled(60)
    after = [answers(world, organization, moment) for organization in both]
    for old, new in zip(before, after, strict=True):
        assert old.keys() == new.keys()
        different = {path: (old[path], new[path]) for path in old if old[path] != new[path]}
        assert not different, _say(different)
    assert OWNERS  # every service that has a log was emptied


def _say(different: dict[str, tuple[Answer, Answer]]) -> str:
    lines = [f"{len(different)} differ"]
    for path, (old, new) in list(different.items())[:8]:
        pairs = enumerate(zip(old[1], new[1], strict=False))
        place = next((i for i, (a, b) in pairs if a != b), 0)
        lines += [path, f"  {old[0]} {old[2]} {old[1][max(0, place - 80) : place + 120]!r}",
                  f"  {new[0]} {new[2]} {new[1][max(0, place - 80) : place + 120]!r}"]  # fmt: skip
    return "\n".join(lines)
