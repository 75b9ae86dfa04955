"""Schedules on a real database: each instant is decided once, and the log knows it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests_support.workflow_texts import hello, scheduled

from libs.common.eventstore import rows
from libs.common.messages import Meta
from libs.common.tasks import end
from libs.common.testing import eventually
from services.workflows.contract import (
    ArchiveWorkflow,
    DisableWorkflow,
    EnableWorkflow,
    FindTriggers,
    ScheduleTicked,
    schedule_stream,
)
from services.workflows.settings import WorkflowSettings
from services.workflows.ticking import Ticker

OFTEN = "* * * * *"
SELDOM = "0 0 1 1 *"


async def publish(workflows: Any, text: str, name: str, version: int = 1) -> str:
    made = await (
        workflows.draft(text) if version == 1 else workflows.save(text, version - 1, name)
    )
    await workflows.publish(name, version)
    return made.value["id"]


async def ticks(workflows: Any, workflow_id: str, org: str = "org_one") -> list[ScheduleTicked]:
    found = await workflows.service.store.load(schedule_stream(org, workflow_id))
    return [each.event() for each in found]


async def some(workflows: Any, workflow_id: str, count: int = 1) -> list[ScheduleTicked]:
    """The ticks, when there are so many."""

    async def now() -> list[ScheduleTicked]:
        return await ticks(workflows, workflow_id)

    return await eventually(now, lambda found: len(found) >= count)


async def trigger(workflows: Any, name: str) -> Any:
    found = (await workflows.ask(FindTriggers(workflow=[name], kind=["schedule"]))).value["data"]
    assert len(found) == 1
    return found[0]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


async def test_a_schedule_begins_with_the_next_instant_after_it_was_published(
    workflows: Any,
) -> None:
    before = datetime.now(UTC)
    wf = await publish(workflows, scheduled("often", OFTEN, trigger_id="beat"), "often")
    shown = await trigger(workflows, "often")
    assert (shown["kind"], shown["id"], shown["cron"]) == ("schedule", "beat", OFTEN)
    assert (shown["path"], shown["address"], shown["last_tick"]) == (None, None, None)
    assert (shown["timezone"], shown["missed"]) == ("UTC", "skip")
    due = moment(shown["next_at"])
    assert before < due <= datetime.now(UTC) + timedelta(minutes=1)
    assert due == minute(due)
    assert [t for t in await ticks(workflows, wf) if t.due_at <= before] == []


async def test_a_due_instant_is_decided_and_shown(workflows: Any) -> None:
    wf = await publish(workflows, scheduled("often", OFTEN), "often")
    await workflows.missed("often", 0)
    (tick, *_) = await some(workflows, wf)
    assert (tick.schedule, tick.workflow_version, tick.decision, tick.missed_count) == (
        "0", 1, "start", 0,
    )  # fmt: skip

    async def shown() -> Any:
        return await trigger(workflows, "often")

    seen = await eventually(shown, lambda each: each["last_tick"] is not None)
    assert moment(seen["last_tick"]["due_at"]) >= tick.due_at
    assert seen["last_tick"]["decision"] == "start"
    assert moment(seen["next_at"]) > moment(seen["last_tick"]["due_at"])


@pytest.mark.parametrize(
    ("missed", "decision", "singly"),
    [("skip", "skip", False), ("run-once", "start", False), ("run-all", "start", True)],
)
async def test_after_a_standstill_each_policy_does_what_it_says(
    workflows: Any, missed: str, decision: str, singly: bool
) -> None:
    wf = await publish(workflows, scheduled("often", OFTEN, missed), "often")
    await workflows.missed("often", 10)

    async def now() -> list[ScheduleTicked]:
        return await ticks(workflows, wf)

    found = await eventually(now, lambda each: any(not tick.missed_count for tick in each))
    late = [each for each in found if each.missed_count]
    # Ten minutes are gone, of which the last, or the last two, are within the grace.
    assert 9 <= sum(each.missed_count for each in late) <= 11
    assert {each.decision for each in late} == {decision}
    assert (len(late) > 1) == singly
    instants = [each.due_at for each in found]
    assert instants == sorted(set(instants))


async def test_an_instant_is_decided_once_by_however_many_look_at_it(workflows: Any) -> None:
    wf = await publish(workflows, scheduled("often", OFTEN, "run-all"), "often")
    settings = WorkflowSettings.model_validate(workflows.service.settings.model_dump())
    others = [Ticker(workflows.service, settings) for _ in range(4)]
    for minutes in (30, 20):
        await workflows.missed("often", minutes)
        await asyncio.gather(*[each.turn() for each in others])
    found = await some(workflows, wf, 31)
    instants = [each.due_at for each in found]
    assert instants == sorted(set(instants))
    assert instants[-1] - instants[0] == timedelta(minutes=len(instants) - 1)


async def test_a_tick_is_refused_by_who_has_not_read_the_last_one(workflows: Any) -> None:
    wf = await publish(workflows, scheduled("seldom", SELDOM), "seldom")
    stream, meta = schedule_stream("org_one", wf), Meta.system("other", "org_one")
    first = ScheduleTicked(
        workflow_id=wf, schedule="0", workflow_version=1, due_at=datetime(2026, 1, 1, tzinfo=UTC),
        decision="start", missed_count=0,
    )  # fmt: skip
    for _ in range(3):
        await workflows.service.store.append_each(rows(stream, 1, [first], meta))
    assert len(await ticks(workflows, wf)) == 1


async def nobody_looks(workflows: Any) -> Ticker:
    """Ends the task that looks; the one that is given looks when it is told to."""

    async def tasks() -> list[asyncio.Task[None]]:
        return [task for task in workflows.service._tasks if task.get_name().endswith("Ticker.run")]

    await end(await eventually(tasks, bool))
    settings = WorkflowSettings.model_validate(workflows.service.settings.model_dump())
    return Ticker(workflows.service, settings)


async def test_a_new_version_at_the_instant_fires_it_once(workflows: Any) -> None:
    """The instant is due, the new version is published, and only then somebody looks."""
    ticker = await nobody_looks(workflows)
    wf = await publish(workflows, scheduled("often", OFTEN), "often")
    await workflows.missed("often", 0)
    (due,) = workflows.sql("select next_at from schedules")[0]
    await publish(workflows, scheduled("often", OFTEN) + "# two\n", "often", 3)
    assert workflows.sql("select count(*) from schedules") == [(2,)]
    for _ in range(3):
        await ticker.turn()
        await workflows.seen()
    found = [each for each in await ticks(workflows, wf) if each.due_at == due]
    assert [(each.workflow_version, each.decision) for each in found] == [(1, "start")]
    assert [v for (v,) in workflows.sql("select version from schedules")] == [2]


async def test_what_the_version_before_owes_is_decided_as_its_own(workflows: Any) -> None:
    ticker = await nobody_looks(workflows)
    wf = await publish(workflows, scheduled("often", OFTEN, "run-all"), "often")
    await workflows.missed("often", 5)
    await publish(workflows, scheduled("often", SELDOM), "often", 3)
    await ticker.turn()
    await workflows.seen()
    found = await ticks(workflows, wf)
    assert {(t.workflow_version, t.decision) for t in found} == {(1, "start")}
    assert len(found) >= 5
    seen = await trigger(workflows, "often")
    assert (seen["cron"], moment(seen["next_at"]).month) == (SELDOM, 1)
    assert workflows.sql("select version, until from schedules") == [(2, None)]


async def test_nothing_is_due_while_a_workflow_is_off_or_put_away(workflows: Any) -> None:
    wf = await publish(workflows, scheduled("often", SELDOM), "often")
    await workflows.ask(DisableWorkflow(workflow="often"))
    assert (await trigger(workflows, "often"))["next_at"] is None
    await workflows.ask(EnableWorkflow(workflow="often"))
    assert moment((await trigger(workflows, "often"))["next_at"]) > datetime.now(UTC)
    await workflows.ask(ArchiveWorkflow(workflow="often"))
    assert (await trigger(workflows, "often"))["next_at"] is None
    assert await ticks(workflows, wf) == []


async def test_a_version_without_the_schedule_ends_it(workflows: Any) -> None:
    await publish(workflows, scheduled("hello", SELDOM), "hello")
    await publish(workflows, hello(), "hello", 3)
    assert workflows.sql("select * from schedules") == []
    assert (await workflows.ask(FindTriggers())).value["data"] == []


async def test_schedules_of_organizations_do_not_meet(workflows: Any) -> None:
    for org in ("org_one", "org_two"):
        await workflows.draft(scheduled("often", OFTEN), org)
        await workflows.publish("often", 1, org)
    workflows.sql("update schedules set next_at = date_trunc('minute', now()) returning 1")
    workflows.service.store.appended()

    async def streams() -> set[str]:
        found = workflows.sql("select stream from log where stream like 'schedule-%'")
        return {stream.split("-")[1] for (stream,) in found}

    assert await eventually(streams, lambda seen: len(seen) == 2) == {"org_one", "org_two"}
