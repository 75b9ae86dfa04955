"""Pages of executions stay fast: each filter finds its index, on tens of thousands of rows."""

import re
from typing import Any

import psycopg
import pytest
from sqlalchemy import Select, select, text
from sqlalchemy.dialects import postgresql
from tests_support.engines import Bed

from libs.common.pages import seek
from libs.common.testing import eventually
from services.executor.contract import FindExecutions
from services.executor.searching import COLUMNS, conditions
from services.executor.views import executions

ROWS = 40_000
FILL = text("""
insert into executions (execution, org, workflow, version, mode, trigger, labels, started_at,
  ended_at, outcome, waits, error_type, error_also, concurrency_key, cancel_requested, paused,
  rolling_back, parent, steps, effects)
select 'exe_' || lpad(n::text, 8, '0'), case when n % 4 = 0 then :other else :org end,
  'wf_' || n % 40, 1, 'live', '{"kind": "webhook"}', '{}', now() - make_interval(secs => n),
  case when n % 500 > 0 then now() end, case when n % 500 = 0 then null
    when n % 50 = 0 then 'failed' when n % 51 = 0 then 'cancelled' else 'succeeded' end,
  case when n % 1000 = 0 then '{"nap": null}' else '{}' end::json,
  case when n % 50 = 0 and n % 500 > 0 then 'client-error' end, '[]', 'digest-' || n % 900,
  false, n % 1500 = 0, false, case when n % 30 = 0 then 'exe_' || n % 90 end, 3, 1
from generate_series(1, :rows) n
""")
LABELS = text("""
insert into execution_labels (execution, label, org, started_at)
select execution, label, org, started_at from executions, lateral (values
  ('kind:' || case when workflow < 'wf_3' then 'common' else 'other' end),
  (case when execution like '%777' then 'case:rare' end)) as l(label) where label is not null
""")


@pytest.fixture
async def filled(bed: Bed) -> Bed:
    database = bed.executors[0].database
    async with database.work() as db:
        await db.execute(FILL, {"org": bed.org, "other": "org_other", "rows": ROWS})
        await db.execute(LABELS)
    with psycopg.connect(bed.servers.admin_url, dbname=database.name, autocommit=True) as admin:
        # as autovacuum does after a while
        admin.execute("vacuum analyze executions, execution_labels")
    return bed


FILTERS: dict[str, dict[str, Any]] = {
    "nothing": {}, "a workflow": {"workflow": ["wf_7"]},
    "the waiting": {"status": ["waiting"]}, "the queued": {"status": ["queued"]},
    "the paused": {"status": ["paused"]}, "all live": {"status": ["running", "waiting", "queued"]},
    "the failed": {"status": ["failed"]}, "by outcome": {"outcome": ["cancelled"]},
    "the good": {"outcome": ["succeeded"]}, "an error": {"error_type": ["client-error"]},
    "a parent": {"parent": ["exe_30"]},
}  # fmt: skip


@pytest.mark.parametrize("name", FILTERS)
async def test_a_page_reads_an_index_and_sorts_nothing(filled: Bed, name: str) -> None:
    first = FindExecutions(limit=50, **FILTERS[name])
    plan = await explained(filled, _statement(first))
    assert "Seq Scan on executions" not in plan and "Sort" not in plan, plan
    assert "Index Scan" in plan or "Index Only Scan" in plan


async def test_the_running_are_found_by_who_holds_them(filled: Bed) -> None:
    plan = await explained(filled, _statement(FindExecutions(limit=50, status=["running"])))
    assert "Seq Scan on executions" not in plan and "executions_pkey" in plan, plan


async def test_the_next_page_and_a_key_and_the_other_direction_do_too(filled: Bed) -> None:
    for order in ("desc", "asc"):
        statement = _statement(FindExecutions(limit=50, order=order))
        place = text("(started_at, execution) < (now() - interval '2 hours', 'exe_00000001')")
        plan = await explained(filled, statement.where(place))
        assert "Seq Scan" not in plan and "Sort" not in plan, plan
    keyed = _statement(FindExecutions(limit=50))
    plan = await explained(filled, keyed.where(executions.c.concurrency_key == "digest-77"))
    assert "Seq Scan" not in plan and "Sort" not in plan, plan


@pytest.mark.parametrize("label", ["kind:common", "case:rare", "case:never"])
async def test_a_label_of_many_and_one_of_few_are_both_found_by_an_index(
    filled: Bed, label: str
) -> None:
    plan = await explained(filled, _statement(FindExecutions(limit=50, label=[label])), True)
    (touched, *_) = (int(n) for n in re.findall(r"shared hit=(\d+)", plan))

    assert "Seq Scan" not in plan, plan
    assert touched < 1500, plan


async def test_an_execution_is_found_by_its_labels_and_by_no_others(bed: Bed) -> None:
    for name, labels in (("ours", "{team: ops, tier: a}"), ("theirs", "{team: dev}")):
        await bed.publish(
            f"troth: 1\nname: {name}\nlabels: {labels}\non:\n  - webhook: {{path: {name},"
            " verify: {scheme: none}}\nsteps: [{id: a, set: {}}]\n"
        )
    ours = (await bed.call("ours", {})).execution
    theirs = (await bed.call("theirs", {})).execution

    async def found(*labels: str) -> list[str]:
        asked = FindExecutions(limit=50, label=list(labels))
        return [one["id"] for one in (await bed.bus.ask(asked, bed.meta)).value["data"]]

    await eventually(lambda: found("team:dev"), lambda ids: ids == [theirs])
    await eventually(lambda: found("team:ops"), lambda ids: ids == [ours])
    assert await found("team:ops", "tier:a") == [ours]
    assert await found("team:ops", "tier:b") == await found("team") == []


async def test_a_page_touches_few_blocks(filled: Bed) -> None:
    """Not the time of a machine but what it reads: as much at the end as at the beginning."""
    for name in ("nothing", "a workflow", "the failed"):
        query = FindExecutions(limit=50, **FILTERS[name])
        plan = await explained(filled, _statement(query), analyze=True)
        (touched, *_) = (int(n) for n in re.findall(r"shared hit=(\d+)", plan))
        assert touched < 400, plan


def _statement(query: FindExecutions) -> Select[Any]:
    t = executions.c
    return seek(select(*COLUMNS).where(*conditions(query)), query, t.started_at, t.execution)


async def explained(bed: Bed, statement: Select[Any], analyze: bool = False) -> str:
    """The plan as the role of readers gets it, which sees one organization."""
    compiled = statement.compile(
        dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}
    )
    words = "explain (analyze, buffers)" if analyze else "explain"
    async with bed.executors[0].database.read(bed.org) as db:
        found = await db.execute(text(f"{words} {compiled}".replace(":", "\\:")))
        return "\n".join(row[0] for row in found)
