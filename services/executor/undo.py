"""Rollback: completed effects are undone in reverse order, each with one key; all is recorded."""

import asyncio
import time
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from libs.language.steps import ForEachStep, Step, UsesStep, WorkflowStep, blocks_in
from services.executor.contract import UndoBegan, UndoEnded
from services.executor.effects import SHORT_S, Effect, due_after, opened_secrets, send
from services.executor.failure import RetryPlan, StepFailed, error_fact, retry_plan
from services.executor.host import Parked, Within, is_in
from services.executor.state import Going, Undoing

if TYPE_CHECKING:
    from services.executor.run import Run


async def roll_back(run: "Run", within: Within | None = None) -> None:
    """Undoes what completed and is not undone, all of it or the steps `within` a place.

    An undo that fails for good is recorded and the rest goes on. Raises Parked for a long pause.
    """
    waiting = [p for p, one in run.state.undos.items() if not one.over and is_in(p, within)]
    steps = _index(run)
    for name, group in groupby(reversed(waiting), key=_id):
        step, most = steps[name]
        await _several(run, step, list(group), most)


async def _several(run: "Run", step: Step, paths: list[str], most: int) -> None:
    """Items of one loop, up to its concurrency at once."""
    free = asyncio.Semaphore(most)

    async def one(path: str) -> None:
        async with free:
            if isinstance(step, WorkflowStep):
                await _reverse(run, path)
            else:
                assert isinstance(step, UsesStep), "only a step with `undo` is undone"
                await _undo(run, step, path)

    results = await asyncio.gather(*map(one, paths), return_exceptions=True)
    parked = [waits for waits in results if isinstance(waits, Parked)]
    for error in results:
        if isinstance(error, BaseException) and not isinstance(error, Parked):
            raise error
    if parked:
        raise min(parked, key=lambda waits: waits.due)


async def _reverse(run: "Run", path: str) -> None:
    """A sub-workflow undoes its own effects, in its own order; Parked until it has."""
    child = run.state.undos[path].child
    assert child is not None, "only a child that was waited for is reversed"
    said = await run.around.reverse_child(run, child)
    if said is None:
        raise Parked
    if said != "none":
        await run.flush(_end(path, 1, "done" if said == "done" else "failed"))


async def _undo(run: "Run", step: UsesStep, path: str) -> None:
    undoing, undo = run.state.undos[path], step.undo
    fact = undoing.fact
    assert undo is not None, "only a step with `undo` is undone"
    assert fact is not None, "a child is reversed"
    if fact.request is None:
        run.tell(_end(path, 0, "impossible"))
        return
    request = run.open(fact.request)
    effect = Effect(path, fact.connector, undo, undo.retry, undo.timeout_s)
    plan = retry_plan(undo.retry, effect.card.repeatable(request))
    key = f"{run.id}:{path}"[:395] + ":undo"
    first_at = undoing.first_at or run.now()
    attempt = _next(run, undoing)
    while True:
        await run.flush(UndoBegan(
            path=path, connector=effect.connector, attempt=attempt, idempotency_key=key,
            host=fact.host, first_at=first_at,
        ))  # fmt: skip
        try:
            secrets = await opened_secrets(run, undo, path)
            outcome, since = await send(run, effect, request, key, attempt, secrets)
        except StepFailed as failure:
            if (again := await _failed(run, plan, path, failure, attempt)) is None:
                return
            attempt = again
            continue
        await run.flush(_end(path, attempt, "done", since, outcome.status))
        return


def _next(run: "Run", undoing: Undoing) -> int:
    due = undoing.ended.retry_at if undoing.ended is not None else None
    if due is not None and due > run.now():
        raise Parked(due)
    return undoing.attempt + 1


async def _failed(
    run: "Run", plan: RetryPlan, path: str, failure: StepFailed, attempt: int
) -> int | None:
    """The number of the next attempt, or None when it is given up."""
    error = error_fact(failure, run.seal(failure.message))
    over = _end(path, attempt, "failed", failure.since, failure.status)
    over = over.model_copy(update={"error": error})
    if not plan.again(failure, attempt):
        await run.flush(over)
        return None
    due, rest = due_after(run, plan, failure, attempt)
    await run.flush(over.model_copy(update={"retry_at": due}))
    if rest > SHORT_S:
        raise Parked(due)
    await run.rest(rest)
    return attempt + 1


def _end(
    path: str, attempt: int, outcome: Literal["done", "failed", "impossible"],
    since: float | None = None, status: int | None = None,
) -> UndoEnded:  # fmt: skip
    length = 0 if since is None else int((time.monotonic() - since) * 1000)
    return UndoEnded(
        path=path, attempt=attempt, outcome=outcome, status=status, duration_ms=length,
        error=None, retry_at=None,
    )  # fmt: skip


def outcome_of(state: Going) -> Literal["none", "done", "incomplete"]:
    """What the rollback came to: none, done, or incomplete."""
    ended = [one.ended for one in state.undos.values() if one.ended is not None]
    if not ended:
        return "none"
    return "done" if all(e.outcome == "done" for e in ended) else "incomplete"


def _id(path: str) -> str:
    return path.partition("[")[0]


def _index(run: "Run") -> dict[str, tuple[Step, int]]:
    """Every step by id, with the concurrency of the loop around it."""
    found: dict[str, tuple[Step, int]] = {}
    blocks = [(run.document.block, 1)]
    if run.document.on_error is not None:
        blocks.append((run.document.on_error, 1))
    while blocks:
        block, most = blocks.pop()
        for step in block.steps:
            found[step.id] = (step, most)
            inner = step.concurrency if isinstance(step, ForEachStep) else most
            blocks += [(b, inner) for b in blocks_in(step)]
    return found
