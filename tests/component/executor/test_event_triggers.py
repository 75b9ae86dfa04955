"""What starts without a caller: events, instants of schedules; once each, and never in circles."""

from datetime import UTC, datetime, timedelta

import pytest
from tests_support.engines import Bed
from tests_support.happenings import (
    calls,
    emit,
    ended,
    executions,
    fresh,
    fresh_again,
    newest_after,
    shown,
    tick,
)

from libs.common.errors import Rejected, TooLarge
from libs.common.testing import eventually
from services.executor.contract import OpenData, ResendCall
from services.workflows.contract import DisableWorkflow

PAID = """
troth: 1
name: paid
on:
  - id: hear
    event:
      type: custom.paid
      match: ${{ event.data.amount > 10 }}
      with: {amount: "${{ event.data.amount }}", kind: "${{ trigger.kind }}"}
input:
  type: object
  properties: {amount: {type: integer}, kind: {type: string}}
steps:
  - id: made
    set: {double: "${{ input.amount * 2 }}"}
output: {double: "${{ made.double }}", kind: "${{ input.kind }}"}
"""


async def test_a_custom_event_starts_a_workflow_once_though_it_is_said_twice(bed: Bed) -> None:
    await bed.publish(PAID)

    first = await emit(bed, "custom.paid", {"amount": 21}, id="order-1")
    second = await emit(bed, "custom.paid", {"amount": 21}, id="order-1")
    await emit(bed, "custom.paid", {"amount": 3})
    last = await emit(bed, "custom.paid", {"amount": 50})
    with pytest.raises(Rejected) as refused:
        await emit(bed, "custom.paid", {"amount": 22}, id="order-1")
    assert refused.value.code == "idempotency-key-reused"

    assert first == second
    found = await eventually(lambda: executions(bed), ended(2))
    by_event = {e["trigger"]["event_id"]: e["id"] for e in found}
    assert set(by_event) == {last["id"], first["id"]}
    assert {e["trigger"]["event_type"] for e in found} == {"custom.paid"}
    data = await bed.bus.ask(OpenData(execution_id=by_event[first["id"]]), bed.meta)
    assert data.value["output"] == {"double": 42, "kind": "event"}
    await fresh_again(bed)  # as a process that was killed before it said what it had dealt with
    await eventually(lambda: fresh(bed), lambda left: left == 0)
    await emit(bed, "custom.paid", {"amount": 60})
    await eventually(lambda: executions(bed), ended(3))


async def test_an_event_said_right_after_publishing_is_not_too_early(bed: Bed) -> None:
    for n in range(5):
        await bed.publish(PAID.replace("name: paid", f"name: paid{n}"))
    event = await emit(bed, "custom.paid", {"amount": 11})

    found = await eventually(lambda: executions(bed), ended(5))
    assert {e["trigger"]["event_id"] for e in found} == {event["id"]}


async def test_data_that_is_too_large_is_refused(bed: Bed) -> None:
    with pytest.raises(TooLarge):
        await emit(bed, "custom.paid", "x" * 65_536)


FAILS = """
troth: 1
name: fails
on:
  - webhook: {path: fails, verify: {scheme: none}, respond: result}
steps:
  - id: bad
    set: {n: "${{ 1 / input.by }}"}
"""
ERRORS = """
troth: 1
name: errors
on:
  - event:
      type: executor.event.execution-finished
      match: ${{ event.data.outcome == "failed" }}
      with: {by: 0, of: "${{ event.subject }}", error: "${{ event.data.error.type }}"}
steps:
  - id: seen
    set: {of: "${{ input.of }}", error: "${{ input.error }}"}
"""


async def test_the_error_workflow_hears_of_failures_and_not_for_ever_of_its_own(bed: Bed) -> None:
    await bed.publish(FAILS)
    hears = await bed.publish(ERRORS + '  - id: bad\n    set: {n: "${{ 1 / input.by }}"}\n')

    said = await bed.call("fails", {"by": 0})
    good = await bed.call("fails", {"by": 1})

    assert (said.outcome, good.outcome) == ("failed", "succeeded")
    refused = await eventually(lambda: calls(bed, outcome=["refused"]), lambda c: len(c) == 1)
    assert (refused[0]["kind"], refused[0]["reason"]) == ("event", "event-loop")
    assert refused[0]["workflow"] == hears
    found = [e for e in await executions(bed) if e["workflow"] == hears]
    assert len(found) == 1
    step = OpenData(execution_id=found[0]["id"], step="seen")
    seen = (await bed.bus.ask(step, bed.meta)).value["result"]
    assert seen["of"] == said.execution
    assert seen["error"].startswith("expression-")


async def test_events_that_executions_cause_start_at_most_eight_in_a_row(bed: Bed) -> None:
    await bed.publish(PAID)
    cause = None
    for _ in range(9):
        await emit(bed, "custom.paid", {"amount": 11}, caused_by=cause)
        if (found := await newest_after(bed, cause)) is not None:
            cause = found["id"]

    refused = await eventually(lambda: calls(bed, outcome=["refused"]), lambda c: len(c) == 1)
    assert (refused[0]["reason"], len(await executions(bed))) == ("event-loop", 8)

    again = await bed.bus.ask(ResendCall(call_id=refused[0]["id"]), bed.meta)
    done = await eventually(
        lambda: shown(bed, again.value["execution"]), lambda e: e["outcome"] is not None
    )
    assert done["trigger"]["kind"] == "event"


HOURLY = """
troth: 1
name: hourly
on:
  - id: hourly
    schedule:
      cron: "0 0 1 1 *"
      with: {at: "${{ trigger.due_at }}", by: "${{ trigger.schedule }}"}
input: {type: object, properties: {at: {type: string}, by: {type: string}}}
steps:
  - id: kept
    set: {at: "${{ input.at }}", by: "${{ input.by }}", kind: "${{ trigger.kind }}"}
output: ${{ kept }}
"""


async def test_an_instant_of_a_schedule_starts_the_version_that_had_it_once(bed: Bed) -> None:
    workflow = await bed.publish(HOURLY)
    due = datetime(2026, 1, 1, tzinfo=UTC)
    await tick(bed, workflow, due)
    await tick(bed, workflow, due + timedelta(hours=1), decision="skip")
    await tick(bed, workflow, due + timedelta(hours=2))

    found = await eventually(lambda: executions(bed), ended(2))
    assert {e["trigger"]["due_at"] for e in found} == {
        "2026-01-01T00:00:00.000Z", "2026-01-01T02:00:00.000Z",
    }  # fmt: skip
    first = next(e for e in found if "T00" in e["trigger"]["due_at"])
    data = await bed.bus.ask(OpenData(execution_id=first["id"]), bed.meta)
    assert data.value["output"] == {
        "at": "2026-01-01T00:00:00.000Z", "by": "hourly", "kind": "schedule",
    }  # fmt: skip
    listed = await calls(bed, kind=["schedule"])
    assert {c["execution"] for c in listed} == {e["id"] for e in found}

    call = next(c for c in listed if c["execution"] == first["id"])
    again = (await bed.bus.ask(ResendCall(call_id=call["id"]), bed.meta)).value["execution"]
    await eventually(lambda: shown(bed, again), lambda e: e["outcome"] is not None)
    data = await bed.bus.ask(OpenData(execution_id=again), bed.meta)
    assert data.value["output"]["at"] == "2026-01-01T00:00:00.000Z"


async def test_an_instant_of_a_disabled_workflow_is_refused_in_the_ledger(bed: Bed) -> None:
    workflow = await bed.publish(HOURLY)
    await bed.bus.ask(DisableWorkflow(workflow=workflow), bed.meta)

    await tick(bed, workflow, datetime(2026, 1, 1, tzinfo=UTC))

    refused = await eventually(lambda: calls(bed, outcome=["refused"]), lambda c: len(c) == 1)
    assert (refused[0]["kind"], refused[0]["workflow"]) == ("schedule", workflow)
    assert await executions(bed) == []
