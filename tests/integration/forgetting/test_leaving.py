"""A forgotten execution leaves the executor's database, and everybody reads on; not on the stack of
the API, for what has left a log does not come back into a view that is emptied there."""

from typing import Any

import pytest
from tests_support.api import YAML, Api
from tests_support.meetings import new
from tests_support.stack import until
from tests_support.world import World, asked, asker

OPENED = "executor.event.execution-opened"


def published(api: Api, text: str) -> str:
    made = api.post("/v1/workflows", content=text.encode(), headers={"content-type": YAML})
    api.post(f"/v1/workflows/{made['id']}/publish", {"draft_version": 1})
    return made["id"]


def ended(api: Api, execution: str) -> dict[str, Any]:
    path = f"/v1/executions/{execution}"
    return until(lambda: (found := api.get(path))["outcome"] is not None and found)


def forget(api: Api, execution: str) -> None:
    answer = api.ask("DELETE", f"/v1/executions/{execution}")
    assert (answer.status_code, answer.content) == (204, b""), answer.text


def stored(world: World, execution: str) -> dict[str, int]:
    """In how many rows of the executor's tables it still is."""
    found = {"log": f"select count(*) from log where stream ~ '^(execution|late)-.*{execution}$'"}
    for table in ("executions", "approvals", "snapshots", "replies", "timers", "forgotten"):
        found[table] = f"select count(*) from {table} where execution = '{execution}'"
    return {name: world.stack.rows("executor", text)[0][0] for name, text in found.items()}


@pytest.mark.parametrize("hours", [24, 26])
def test_it_leaves_the_log_after_a_day_and_everybody_reads_on(world: World, hours: int) -> None:
    api = world.home.owner
    workflow = published(api, asker(new("asker")))
    (old, approval), (later, asks) = asked(api, workflow), asked(api, workflow)
    api.post(f"/v1/approvals/{approval}/approve")
    ended(api, old)
    events = stored(world, old)["log"]
    forget(api, old)
    assert stored(world, old)["log"] == events, "its numbers are on their way to the others"
    with world.stack.connect("executor") as database:
        aged = "update forgotten set leaves_at = leaves_at - make_interval(hours => %s)"
        database.execute(f"{aged} where execution = %s", (hours, old))
    if hours == 26:
        until(lambda: sum(stored(world, old).values()) == 0, 60, lambda: stored(world, old))
        api.post(f"/v1/approvals/{asks}/approve")
        ended(api, later)
        world.stack.settled()
        until(lambda: api.get("/v1/audit/completeness")["complete"])
        shown = until(lambda: api.get(f"/v1/audit/events?resource={old}&limit=200")["data"])
        acts = [entry for entry in shown if entry["type"] != OPENED]
        assert len(acts) == events + 1, "the trail keeps that each event was"
        assert api.ask("GET", f"/v1/executions/{old}").status_code == 404
        return
    ended(api, _another(world))
    assert stored(world, old)["log"] == events


def _another(world: World) -> str:
    """One more that is old enough and leaves: the youngest stay when it has gone."""
    api = world.home.owner
    workflow = published(api, f"troth: 1\nname: {new('aged')}\nsteps:\n  - id: a\n    set: {{}}\n")
    execution = api.post(f"/v1/workflows/{workflow}/executions", {})["execution"]
    ended(api, execution)
    forget(api, execution)
    with world.stack.connect("executor") as database:
        aged = "update forgotten set leaves_at = now() - interval '1 hour' where execution = %s"
        database.execute(aged, (execution,))
    until(lambda: stored(world, execution)["log"] == 0)
    return api.post(f"/v1/workflows/{workflow}/executions", {})["execution"]
