"""One organization has 50,000 executions queued; what another one starts does not wait for them."""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from tests_support.blocks import World, one_world, step
from tests_support.engines import Bed
from tests_support.queued import queue
from tests_support.servers import Servers

from libs.common import ids
from libs.common.testing import eventually
from services.executor.app import build
from services.executor.leases import CLAIM, LOOK_ROWS
from tests.fakes.receiver import Answer

QUEUED = 50_000
ROWS_MAX = 20_000
CALLS = 9
WITHIN_S = 1.0


@pytest.fixture
async def world(servers: Servers, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """The executor is stopped, and so many executions of the bed's organization are due."""
    async with one_world(servers) as made:
        made.reply = lambda seen: Answer(after_s=0.2 if seen.path == "/many" else 0)
        await made.publish("many", f"steps: [{step('m', '/many')}]")
        said = await made.bed.call("many", {"n": 0})
        await made.bed.executors.pop().stop()
        aside = build(made.bed.settings, made.bed.fetch)
        await queue(aside, made.bed.org, said.execution, request.param)
        yield made


@contextlib.contextmanager
def connected(world: World) -> Any:
    """As the server's administrator, in the executor's database."""
    database = f"{world.bed.settings.database_prefix}executor"
    with psycopg.connect(world.bed.servers.admin_url, dbname=database, autocommit=True) as found:
        yield found


def allow(world: World, places: int) -> None:
    """So many executions of the organization that has the queue may run at once."""
    with connected(world) as database:
        database.execute(
            "insert into entitlements (org, executions_per_month, running_max, history_days,"
            " period_ends_at) values (%s, 1000000, %s, 7, now() + interval '1 month')",
            (world.bed.org, places),
        )


def plan_of(connection: Any) -> tuple[set[str], int]:
    """Tables that the claim reads whole, and the most rows of a node; nothing is claimed."""
    values = {"after": "", "per_org": 50, "want": 200, "lease": 6.0, "look": LOOK_ROWS,
              "me": "nobody"}  # fmt: skip
    explained = b"explain (analyze, format json) " + CLAIM
    with connection.transaction(force_rollback=True):
        [[[plan]]] = connection.execute(explained, values).fetchall()
    whole: set[str] = set()
    rows: list[int] = []

    def look(node: Any) -> None:
        rows.append(int(node["Actual Rows"] * node["Actual Loops"]))
        if node["Node Type"] == "Seq Scan":
            whole.add(node["Relation Name"])
        for inner in node.get("Plans", []):
            look(inner)

    look(plan["Plan"])
    print(f"claim: {plan['Execution Time']:.1f} ms")
    return whole, max(rows)


async def other(world: World) -> Bed:
    """Another organization of the same executors, with a workflow."""
    bed = replace(world.bed, org=ids.new("org"))
    text = f"steps: [{step('s', '/single')}]".replace("PORT", str(world.receiver.port))
    head = "troth: 1\nname: single\non:\n  - webhook: {path: single, verify: {scheme: none}, respond: result}\n"  # noqa: E501 - one line of YAML
    await bed.publish(head + text)
    return bed


async def _count(world: World) -> int:
    return len(world.paths)


@pytest.mark.parametrize("world", [QUEUED], indirect=True)
async def test_a_single_call_of_another_organization_starts_within_a_second(world: World) -> None:
    with connected(world) as database:
        assert "timers" not in plan_of(database)[0], "before the server knows of so many rows"
    await world.bed.add_executor()
    bed = await other(world)
    took: list[float] = []

    async def most_start_at_once() -> bool:
        """Of the last few calls; asked again, for a test's machine has other things to do too."""
        before = len(world.paths)
        await eventually(lambda: _count(world), lambda count: count > before + 5)
        begun = time.monotonic()
        said = await bed.call("single", {"n": len(took)})
        assert said.outcome == "succeeded"
        took.append(world.receiver.at("/single")[-1].at - begun)
        last = sorted(took[-CALLS:])
        return len(took) >= CALLS and last[CALLS // 2] < WITHIN_S

    await eventually(most_start_at_once, bool)
    print(f"calls began after {[round(one, 3) for one in sorted(took)]} s")
    with connected(world) as database:
        left = database.execute("select count(*) from timers").fetchone()[0]
    assert left > QUEUED * 0.8, "there was a queue all the time"


@pytest.mark.parametrize("world", [2000], indirect=True)
async def test_who_has_a_queue_does_not_get_the_last_places_of_a_process(world: World) -> None:
    world.reply = lambda seen: None if seen.path == "/many" else Answer()
    allow(world, 1000)
    world.bed.settings = world.bed.settings.model_copy(update={"executor_places": 20})
    executor = await world.bed.add_executor()
    before = len(world.paths)
    await eventually(lambda: _count(world), lambda count: count == before + 18)
    bed = await other(world)
    for n in range(3):
        assert (await bed.call("single", {"n": n}, wait_s=60)).outcome == "succeeded"
    assert len(executor.engine.runs) == 18 == len(world.paths) - before - 3


def wait_for_places(database: Any, organizations: int, due: str) -> None:
    """`QUEUED` timers, as starts that found no place leave them."""
    database.execute(
        "insert into timers (execution, org, due_at, leased_until, priority)"
        f" select 'exe_' || n, 'org_' || n % {organizations}, now() {due}, now(), n % 3"
        f" from generate_series(1, {QUEUED}) n"
    )


@pytest.mark.parametrize(
    ("organizations", "due"),
    [(1, "- interval '1 minute'"), (1, "+ interval '30 days'"), (1000, "- interval '1 minute'")],
)
async def test_the_claim_reads_no_table_whole_whoever_waits(
    servers: Servers, organizations: int, due: str
) -> None:
    async with one_world(servers) as world:
        await world.bed.executors.pop().stop()
        with connected(world) as database:
            wait_for_places(database, organizations, due)
            database.execute("vacuum analyze timers")
            whole, most = plan_of(database)
    assert "timers" not in whole
    assert most < ROWS_MAX
