"""`try`, `catch` and `finally`: what failed is undone, then handled; the last things always run."""

import asyncio
from typing import TYPE_CHECKING, Any

from libs.language.steps import TryStep
from services.executor.failure import StepFailed, fits
from services.executor.host import MISSING, STAGE, Cut, Parked, Scope, ids_in

if TYPE_CHECKING:
    from services.executor.walk import Walk

LAST_S = 60.0


async def attempt(walk: "Walk", step: TryStep, path: str, scope: Scope, place: str) -> Any:
    """The value of `try`, or of the handler that ran; raises what no handler took."""
    value = failure = None
    try:
        try:
            value = await _handled(walk, step, path, scope, place)
        except StepFailed as found:
            failure = found
        await _finally(walk, step, scope, place, failure)
    except (asyncio.CancelledError, Cut):
        if walk.host.holding and path not in walk.past and _begun(walk, step, place):
            if step.finally_ is not None and walk.host.begun((ids_in(step.finally_), place)):
                await walk.host.catch_up()  # it was cut itself: it goes on where it was
            await _finally_in_time(walk, step, scope, place)
            walk.past.add(path)
        raise
    if failure is not None:
        raise failure
    return value


def _begun(walk: "Walk", step: TryStep, place: str) -> bool:
    """Of what never began there is nothing to put in order."""
    blocks = [step.body, *(handler.block for handler in step.handlers)]
    return any(walk.host.begun((ids_in(block), place)) for block in blocks)


async def _handled(walk: "Walk", step: TryStep, path: str, scope: Scope, place: str) -> Any:
    """Which handler takes the error is recorded, so that a resumed walk does not try again."""
    caught = walk.host.recorded(path + "#caught")
    if caught is MISSING:
        since = walk.host.now()
        try:
            return await walk.block(step.body, scope, place)
        except StepFailed as failure:
            number = next((n for n, h in enumerate(step.handlers) if fits(h.on, failure)), None)
            caught = {"handler": number, "error": failure.value()}
            walk.host.drop((ids_in(step.body), place))
            await walk.host.note(path + "#caught", "caught", since, caught)
    failure = StepFailed.again(caught["error"])
    if caught["handler"] is None:
        raise failure
    handler = step.handlers[caught["handler"]]
    if handler.undo:
        walk.host.may_begin()
        await walk.host.undo((ids_in(step.body), place))
    try:
        return await walk.block(handler.block, {**scope, "error": caught["error"]}, place)
    except StepFailed as second:
        failure.also += [second.type, *second.also]
        raise failure from None


async def _finally(
    walk: "Walk", step: TryStep, scope: Scope, place: str, failure: StepFailed | None
) -> None:
    """An error here never hides the first one; where there is none it is the error."""
    if step.finally_ is None:
        return
    try:
        await walk.block(step.finally_, scope, place)
    except StepFailed as second:
        if failure is None:
            raise
        failure.also += [second.type, *second.also]


async def _finally_in_time(walk: "Walk", step: TryStep, scope: Scope, place: str) -> None:
    """On cancel: within a minute, without giving the execution away; what fails is let go."""
    token = STAGE.set("last-things")
    try:
        async with asyncio.timeout(LAST_S):
            await _without_parking(walk, step, scope, place)
    except TimeoutError:
        return
    finally:
        STAGE.reset(token)


async def _without_parking(walk: "Walk", step: TryStep, scope: Scope, place: str) -> None:
    ignored = StepFailed("cancelled", "the execution was cancelled")
    while True:
        try:
            await _finally(walk, step, scope, place, ignored)
        except Parked as parked:
            pause = (parked.due - walk.host.now()).total_seconds()
            await asyncio.sleep(max(0.0, min(pause, LAST_S)))
        else:
            return
