"""A sub-workflow's step when it is cut in between: by a cancel, or by a crash after its end."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from libs.language.check import parse
from services.executor.contract import WaitBegan
from services.executor.failure import StepFailed
from services.executor.sub_workflows import call

CHILD = "exe_child"


def step() -> Any:
    made = parse({"troth": 1, "name": "p", "steps": [{"id": "below", "workflow": "other"}]})
    return made.block.steps[0]


class Half:
    """As much of a run as the step needs."""

    def __init__(self, **state: Any) -> None:
        empty: dict[str, Any] = {"children": {}, "waits": {}, "waits_ended": {}}
        self.state = SimpleNamespace(**(empty | state))
        self.holding, self.unsaid, self.told = True, None, list[Any]()
        self.begun, self.committed = asyncio.Event(), asyncio.Event()
        self.around = self

    def now(self) -> None:
        return None

    def tell(self, *events: Any) -> None:
        self.told += events

    async def ended_children(self) -> dict[str, Any]:
        return {}

    async def start_child(self, *given: Any) -> str:
        self.begun.set()
        await self.committed.wait()
        return CHILD


async def test_a_cancel_while_the_child_is_started_leaves_none_that_nobody_knows_of() -> None:
    run: Any = Half()
    calling = asyncio.create_task(call(run, step(), "below", {}))
    await run.begun.wait()
    calling.cancel()
    await asyncio.sleep(0)
    run.committed.set()

    with pytest.raises(asyncio.CancelledError):
        await calling
    assert run.told == [WaitBegan(path="below", kind="workflow", due_at=None, execution_id=CHILD)]


async def test_a_failed_child_whose_end_was_recorded_is_not_waited_for_again() -> None:
    run: Any = Half(children={"below": CHILD}, waits_ended={"below": "ended"})

    with pytest.raises(StepFailed) as failed:
        await call(run, step(), "below", {})
    assert (failed.value.type, failed.value.path) == ("workflow-failed", "below")
