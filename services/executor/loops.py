"""`for_each` and `parallel`: many blocks, so many at a time, each resumed by itself."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from libs.language.steps import Block, Failures, ForEachStep, Pages, ParallelStep
from services.executor.failure import StepFailed
from services.executor.host import (
    MISSING,
    STAGE,
    Cut,
    Parked,
    Scope,
    has_finally,
    ids_in,
    kind_of,
    pure,
)  # fmt: skip

if TYPE_CHECKING:
    from services.executor.walk import Walk

Work = Callable[[], Coroutine[Any, Any, Any]]


async def for_each(walk: "Walk", step: ForEachStep, path: str, scope: Scope, place: str) -> Any:
    """The bodies' values in the order of the items; items start in order and lazily."""
    if isinstance(step.items, Pages):
        source = _paged(walk, step.items, path, scope)
    else:
        items = await _items(walk, step, path, scope)
        if step.concurrency == 1 or pure(step.block):
            return [
                await _item(walk, step, path, scope, place, number, item)
                for number, item in enumerate(items)
            ]
        source = _listed(items)
    work = _works(walk, step, path, scope, place, source)
    return await _together(walk, work, step.concurrency, [step.block], place)


async def _items(walk: "Walk", step: ForEachStep, path: str, scope: Scope) -> list[Any]:
    items = walk.host.recorded(path)
    if items is not MISSING:
        return items
    walk.host.may_begin()
    since = walk.host.now()
    items = await walk.evaluate(step.items, scope, since, path)
    if not isinstance(items, list):
        raise StepFailed(
            "expression-type", f"for_each: a list was expected, not {kind_of(items)}", path
        )
    await walk.host.note(path, "for_each", since, items)
    return items


async def _listed(items: list[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


async def _paged(walk: "Walk", pages: Pages, path: str, scope: Scope) -> AsyncIterator[Any]:
    """Items of page after page; the next one is asked for when its items are needed."""
    page, count, number = None, 0, 0
    while True:
        inner = {**scope, "page": page}
        page = await walk.host.page(pages, f"{path}.page{number}", inner)
        inner["page"] = page
        items = await walk.evaluate(pages.items, inner, walk.host.now(), path)
        if not isinstance(items, list):
            raise StepFailed(
                "expression-type", f"items: a list was expected, not {kind_of(items)}", path
            )
        for item in items:
            if (count := count + 1) > pages.limit:
                raise StepFailed(
                    "output-too-large", f"more items than limit pages {pages.limit}", path
                )
            yield item
        if await walk.evaluate(pages.next, inner, walk.host.now(), path) is None:
            return
        number += 1


async def _works(
    walk: "Walk", step: ForEachStep, path: str, scope: Scope, place: str,
    source: AsyncIterator[Any],
) -> AsyncIterator[Work]:  # fmt: skip
    number = 0
    async for item in source:
        yield partial(_item, walk, step, path, scope, place, number, item)
        number += 1


async def _item(
    walk: "Walk", step: ForEachStep, path: str, scope: Scope, place: str, number: int, item: Any
) -> Any:
    inner = {**scope, step.as_: item}
    if step.index_as is not None:
        inner[step.index_as] = number
    here = f"{path}[{number}]"
    keep = step.block.output is not None or step.failures == "collect"
    return await _branch(
        walk, step.block, step.failures, here, inner, f"{place}[{number}]", "item", keep=keep
    )


async def parallel(walk: "Walk", step: ParallelStep, path: str, scope: Scope, place: str) -> Any:
    """The branches' values by name; all begin at once."""

    async def works() -> AsyncIterator[Work]:
        for name, block in step.branches.items():
            here = f"{path}.{name}"
            yield partial(
                _branch, walk, block, step.failures, here, scope, place, "branch", keep=True
            )

    blocks = list(step.branches.values())
    values = await _together(walk, works(), len(blocks), blocks, place)
    return dict(zip(step.branches, values, strict=True))


async def _together(
    walk: "Walk", works: AsyncIterator[Work], most: int, blocks: Iterable[Block], place: str
) -> list[Any]:
    """What is cancelled by the first failure waits for nothing and asks nobody any more."""
    together = Together(works, most)
    try:
        return await together.run()
    except StepFailed:
        if any(map(has_finally, blocks)):
            await walk.host.catch_up()
            await together.call_off()
        for block in blocks:
            walk.host.drop((ids_in(block), place))
        raise


async def _branch(
    walk: "Walk", block: Block, failures: Failures, path: str, scope: Scope, place: str,
    kind: str, *, keep: bool,
) -> Any:  # fmt: skip
    """One item's or branch's value; with `collect` a failure is a value too."""
    value = walk.host.recorded(path)
    if value is not MISSING:
        return value
    since = walk.host.now()
    try:
        value = await walk.block(block, scope, place)
    except StepFailed as failure:
        if failures != "collect":
            raise
        walk.host.drop((ids_in(block), place))
        value = {"ok": False, "error": failure.value()}
    else:
        if failures == "collect":
            value = {"ok": True, "value": value}
    if keep:
        await walk.host.note(path, kind, since, value)
    return value


class Together:
    """At most `most` works at a time, begun in order; one that is parked or cut keeps its place.

    The first failure stops the rest: nothing new begins, what runs is cancelled (and runs its
    `finally`), then it is raised. Raises Cut, or Parked, when only such works are left.
    """

    def __init__(self, works: AsyncIterator[Work], most: int) -> None:
        self._works, self._most = works, most
        self._results: list[Any] = []
        self._going: dict[asyncio.Task[Any], tuple[int, Work]] = {}
        self._left: list[Work] = []  # what is parked or was cut
        self._parked: list[Parked] = []
        self._cut = False

    async def run(self) -> list[Any]:
        try:
            while await self._begin() or self._going:
                done, _ = await asyncio.wait(self._going, return_when=asyncio.FIRST_COMPLETED)
                for task in sorted(done, key=lambda task: self._going[task][0]):
                    self._take(task, *self._going.pop(task))
        finally:
            self._left += [work for _, work in self._going.values()]
            for task in self._going:
                task.cancel()
            await asyncio.gather(*self._going, return_exceptions=True)
        if self._cut:
            raise Cut
        if self._parked:
            raise min(self._parked, key=lambda waits: waits.due)
        return self._results

    async def call_off(self) -> None:
        """Walks what is left once more, so that each `finally` runs, and nothing else begins."""
        token = STAGE.set("called-off")
        try:
            await asyncio.gather(*(work() for work in self._left), return_exceptions=True)
        finally:
            STAGE.reset(token)

    async def _begin(self) -> bool:
        """Begins what there is place for; whether anything was begun."""
        before = len(self._going)
        try:
            while len(self._going) + len(self._left) < self._most:
                work = await anext(self._works, None)
                if work is None:
                    break
                self._results.append(None)
                task = asyncio.create_task(work())
                self._going[task] = (len(self._results) - 1, work)
        except Parked as parked:  # the source itself waits; what runs goes on
            self._parked.append(parked)
        except Cut:
            self._cut = True
        return len(self._going) > before

    def _take(self, task: asyncio.Task[Any], number: int, work: Work) -> None:
        try:
            self._results[number] = task.result()
        except Parked as parked:
            self._parked.append(parked)
            self._left.append(work)
        except (Cut, asyncio.CancelledError):
            self._cut = True
            self._left.append(work)
