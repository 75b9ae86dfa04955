"""Walks a document's blocks; what was recorded is taken, what was not is done through the host."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from libs.language import ExpressionError
from libs.language.document import (
    Block,
    ChooseStep,
    ForEachStep,
    SetStep,
    Step,
    UsesStep,
    WaitStep,
)  # fmt: skip
from services.executor.domain import StepFailed, expression_failed

MISSING: Any = object()
BREATHE_S = 0.005
Scope = Mapping[str, Any]


class Parked(Exception):
    """Nothing can be done before `due`; nothing of the walk has to be kept in memory."""

    def __init__(self, due: datetime) -> None:
        super().__init__()
        self.due = due


class Host(Protocol):
    """What the walk needs of the execution around it."""

    def recorded(self, path: str) -> Any:
        """The recorded result of a step or item, or MISSING."""
        ...

    def now(self) -> datetime: ...

    async def evaluate(self, what: Any, scope: Scope, clock: datetime) -> Any:
        """An expression's or a value's result; ExpressionError when it has none."""
        ...

    async def note(self, path: str, kind: str, since: datetime, value: Any) -> None:
        """Records a result; it travels with the next commit."""
        ...

    async def effect(self, step: UsesStep, path: str, scope: Scope) -> Any: ...

    async def wait(self, step: WaitStep, path: str, scope: Scope) -> Any: ...


class Walk:
    """One walk of one execution, from the top; cheap where everything was recorded."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._breath = time.monotonic()

    async def block(self, block: Block, scope: Scope, place: str) -> Any:
        """The value of a block; `place` are the numbers of the loops around it (`[3][0]`)."""
        inner, own = dict(scope), {}
        for step in block.steps:
            inner[step.id] = own[step.id] = await self._step(step, step.id + place, inner, place)
        if block.output is None:
            return own
        return await self._evaluate(block.output, inner, self._host.now(), None)

    async def _step(self, step: Step, path: str, scope: Scope, place: str) -> Any:
        await self._breathe()
        if isinstance(step, ForEachStep):
            return await self._for_each(step, path, scope, place)
        value = self._host.recorded(path)
        if value is not MISSING:
            return value
        match step:
            case UsesStep():
                return await self._host.effect(step, path, scope)
            case WaitStep():
                return await self._host.wait(step, path, scope)
            case SetStep():
                since = self._host.now()
                value = {
                    name: await self._evaluate(item, scope, since, path)
                    for name, item in step.values.items()
                }
                await self._host.note(path, "set", since, value)
            case ChooseStep():
                since = self._host.now()
                value = await self._choose(step, path, scope, place)
                await self._host.note(path, "choose", since, value)
        return value

    async def _choose(self, step: ChooseStep, path: str, scope: Scope, place: str) -> Any:
        chosen = self._host.recorded(path + "#branch")
        if chosen is MISSING:
            chosen, since = len(step.branches), self._host.now()
            for number, branch in enumerate(step.branches):
                if await self._true(branch.when, scope, since, path):
                    chosen = number
                    break
            if not _instant(step, chosen):
                await self._host.note(path + "#branch", "branch", since, chosen)
        if chosen < len(step.branches):
            return await self.block(step.branches[chosen].block, scope, place)
        if step.otherwise is not None:
            return await self.block(step.otherwise, scope, place)
        return {}

    async def _true(self, when: Any, scope: Scope, clock: datetime, path: str) -> bool:
        value = await self._evaluate(when, scope, clock, path)
        if not isinstance(value, bool):
            raise StepFailed(
                "expression-type", f"when: a boolean was expected, not {_kind(value)}", path
            )
        return value

    async def _for_each(self, step: ForEachStep, path: str, scope: Scope, place: str) -> Any:
        items = self._host.recorded(path)
        if items is MISSING:
            since = self._host.now()
            items = await self._evaluate(step.items, scope, since, path)
            if not isinstance(items, list):
                raise StepFailed(
                    "expression-type", f"for_each: a list was expected, not {_kind(items)}", path
                )
            await self._host.note(path, "for_each", since, items)
        if step.concurrency == 1 or pure(step.block):
            return [
                await self._item(step, path, scope, place, number, item)
                for number, item in enumerate(items)
            ]
        return await self._several(step, path, scope, place, items)

    async def _item(
        self, step: ForEachStep, path: str, scope: Scope, place: str, number: int, item: Any
    ) -> Any:
        here = f"{place}[{number}]"
        item_path = f"{path}[{number}]"
        value = self._host.recorded(item_path)
        if value is not MISSING:
            return value
        inner = {**scope, step.as_: item}
        if step.index_as is not None:
            inner[step.index_as] = number
        since = self._host.now()
        try:
            value = await self.block(step.block, inner, here)
        except StepFailed as failure:
            if step.failures != "collect":
                raise
            value = {"ok": False, "error": {
                "type": failure.type, "message": failure.message, "step": failure.path,
                "attempts": failure.attempts, "status": failure.status,
            }}  # fmt: skip
        else:
            if step.failures == "collect":
                value = {"ok": True, "value": value}
        if step.block.output is not None or step.failures == "collect":
            await self._host.note(item_path, "item", since, value)
        return value

    async def _several(
        self, step: ForEachStep, path: str, scope: Scope, place: str, items: list[Any]
    ) -> Any:
        """At most `concurrency` items at a time; one that is parked keeps its place."""
        results: list[Any] = [None] * len(items)
        going: dict[asyncio.Task[Any], int] = {}
        parked: list[Parked] = []
        coming = iter(enumerate(items))
        try:
            while True:
                while len(going) + len(parked) < step.concurrency:
                    number, item = next(coming, (-1, None))
                    if number < 0:
                        break
                    task = asyncio.create_task(self._item(step, path, scope, place, number, item))
                    going[task] = number
                if not going:
                    break
                done, _ = await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    number = going.pop(task)
                    try:
                        results[number] = task.result()
                    except Parked as waits:
                        parked.append(waits)
        finally:
            for task in going:
                task.cancel()
            await asyncio.gather(*going, return_exceptions=True)
        if parked:
            raise min(parked, key=lambda waits: waits.due)
        return results

    async def _evaluate(self, what: Any, scope: Scope, clock: datetime, path: str | None) -> Any:
        try:
            return await self._host.evaluate(what, scope, clock)
        except ExpressionError as error:
            raise expression_failed(error, path) from None

    async def _breathe(self) -> None:
        """Gives the event loop a turn; a long walk must not stop leases and other executions."""
        if time.monotonic() - self._breath > BREATHE_S:
            await asyncio.sleep(0)
            self._breath = time.monotonic()


def pure(block: Block) -> bool:
    """Whether nothing in the block waits or reaches outside."""
    for step in block.steps:
        if isinstance(step, UsesStep | WaitStep):
            return False
        if isinstance(step, ForEachStep) and not pure(step.block):
            return False
        if isinstance(step, ChooseStep):
            blocks = [branch.block for branch in step.branches]
            if not all(pure(b) for b in [*blocks, *([step.otherwise] if step.otherwise else [])]):
                return False
    return True


def _instant(step: ChooseStep, chosen: int) -> bool:
    """Whether the branch ends at once, so that its result alone need be recorded."""
    if chosen < len(step.branches):
        return pure(step.branches[chosen].block)
    return step.otherwise is None or pure(step.otherwise)


def _kind(value: Any) -> str:
    names = {dict: "object", list: "list", str: "text", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
