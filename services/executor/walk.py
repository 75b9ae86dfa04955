"""Walks a document's blocks; what was recorded is taken, what was not is done through the host."""

import asyncio
import time
from datetime import datetime
from typing import Any

from libs.language import ExpressionError
from libs.language.steps import (
    ApprovalStep,
    Block,
    ChooseStep,
    ForEachStep,
    ParallelStep,
    PythonStep,
    SetStep,
    Step,
    TryStep,
    UsesStep,
    WaitStep,
    WorkflowStep,
)  # fmt: skip
from services.executor import loops, trying
from services.executor.failure import StepFailed
from services.executor.host import MISSING, Host, Scope, expression_failed, kind_of, pure

BREATHE_S = 0.005


class Walk:
    """One walk of one execution, from the top; cheap where everything was recorded."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.past: set[str] = set()  # each `try` that was cut and whose `finally` has run
        self._breath = time.monotonic()

    async def block(self, block: Block, scope: Scope, place: str) -> Any:
        """The value of a block; `place` are the numbers of the loops around it (`[3][0]`)."""
        inner, own = dict(scope), {}
        for step in block.steps:
            inner[step.id] = own[step.id] = await self._step(step, step.id + place, inner, place)
        if block.output is None:
            return own
        return await self.evaluate(block.output, inner, self.host.now(), None)

    async def _step(self, step: Step, path: str, scope: Scope, place: str) -> Any:
        await self._breathe()
        if isinstance(step, ForEachStep):
            return await loops.for_each(self, step, path, scope, place)
        value = self.host.recorded(path)
        if value is not MISSING:
            return value
        since = self.host.now()
        match step:
            case SetStep():
                self.host.may_begin()
                value = {
                    name: await self.evaluate(item, scope, since, path)
                    for name, item in step.values.items()
                }
            case ChooseStep():
                value = await self._choose(step, path, scope, place)
            case ParallelStep():
                value = await loops.parallel(self, step, path, scope, place)
            case TryStep():
                value = await trying.attempt(self, step, path, scope, place)
            case UsesStep() | WaitStep() | ApprovalStep() | WorkflowStep() | PythonStep():
                self.host.may_begin()
                return await self.host.act(step, path, scope)
        await self.host.note(path, KINDS[type(step)], since, value)
        return value

    async def _choose(self, step: ChooseStep, path: str, scope: Scope, place: str) -> Any:
        chosen = self.host.recorded(path + "#branch")
        if chosen is MISSING:
            self.host.may_begin()
            chosen, since = len(step.branches), self.host.now()
            for number, branch in enumerate(step.branches):
                if await self._true(branch.when, scope, since, path):
                    chosen = number
                    break
            if not _instant(step, chosen):
                await self.host.note(path + "#branch", "branch", since, chosen)
        if chosen < len(step.branches):
            return await self.block(step.branches[chosen].block, scope, place)
        if step.otherwise is not None:
            return await self.block(step.otherwise, scope, place)
        return {}

    async def _true(self, when: Any, scope: Scope, clock: datetime, path: str) -> bool:
        value = await self.evaluate(when, scope, clock, path)
        if not isinstance(value, bool):
            raise StepFailed(
                "expression-type", f"when: a boolean was expected, not {kind_of(value)}", path
            )
        return value

    async def evaluate(self, what: Any, scope: Scope, clock: datetime, path: str | None) -> Any:
        """A value's result; a StepFailed of type expression-… when it has none."""
        try:
            return await self.host.evaluate(what, scope, clock)
        except ExpressionError as error:
            raise expression_failed(error, path) from None

    async def _breathe(self) -> None:
        """Gives the event loop a turn; a long walk must not stop leases and other executions."""
        if time.monotonic() - self._breath > BREATHE_S:
            await asyncio.sleep(0)
            self._breath = time.monotonic()


def _instant(step: ChooseStep, chosen: int) -> bool:
    """Whether the branch ends at once, so that its result alone need be recorded."""
    if chosen < len(step.branches):
        return pure(step.branches[chosen].block)
    return step.otherwise is None or pure(step.otherwise)


KINDS: dict[type[Any], str] = {
    SetStep: "set", ChooseStep: "choose", ParallelStep: "parallel", TryStep: "try",
}  # fmt: skip
