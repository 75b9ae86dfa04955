"""How an execution ends: succeeded, undone and failed, or cancelled; with what is left to say."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from services.executor import undo
from services.executor.contract import ExecutionFinished, ReversalEnded, RollbackBegan
from services.executor.facts import EVENT_BYTES_MAX, VALUE_BYTES_MAX
from services.executor.failure import StepFailed, error_fact
from services.executor.host import Cut, Parked, has_finally, ids_in

if TYPE_CHECKING:
    from services.executor.run import Run
    from services.executor.walk import Walk

Outcome = Literal["succeeded", "failed", "cancelled"]


async def failed(run: "Run", failure: StepFailed) -> None:
    """Undoes all completed effects, then `on_error`, then the end (§7.6b)."""
    await run.settled()
    run.drop()  # by the commit that records the failure, so that no walk comes by in between
    if run.document.on_error is None and not _can_be_undone(run) and not run.state.children:
        await finish(run, "failed", failure, None)
        return
    error = error_fact(failure, run.seal(failure.message))
    await run.flush(RollbackBegan(cause="failed", error=error))
    await _after_rollback(run, failure)


async def cancelled(run: "Run") -> None:
    """Ends it as cancelled; with `rollback` completed effects are undone before."""
    await run.settled()
    if run.drop():
        await run.flush()
    wish = run.state.cancel
    if wish is not None and wish.rollback and _can_be_undone(run):
        await run.flush(RollbackBegan(cause="cancelled", error=None))
        await _undo_all(run)
    await finish(run, "cancelled", None, None)


async def last_things(run: "Run", walk: "Walk") -> None:
    """Each `finally` that what is cut has left to run, of parked branches too (§7.7)."""
    if has_finally(run.document.block):
        await run.catch_up()
        with suppress(Cut, Parked, StepFailed):
            await walk.block(run.document.block, run.names, "")


async def reversed_for_parent(run: "Run") -> None:
    """It had ended: its effects are undone because its parent's are, and its outcome stays."""
    await _undo_all(run)
    run.ended = True
    await run.flush(ReversalEnded(rollback=undo.outcome_of(run.state)), op="end", leased=False)


async def resumed(run: "Run") -> None:
    """Goes on where the process that began the rollback was."""
    assert run.state.rollback is not None, "only a rollback is resumed here"
    error = run.state.rollback.error
    if error is None:
        await _undo_all(run)
        await finish(run, "cancelled", None, None)
        return
    message = run.open(error.message) if error.message else ""
    failure = StepFailed(error.type, message, error.path, error.attempts or 0, error.status)
    failure.also = list(error.also)
    await _after_rollback(run, failure)


async def _after_rollback(run: "Run", failure: StepFailed) -> None:
    await _undo_all(run)
    if run.document.on_error is not None:
        names = {**run.names, "error": failure.value()}
        try:
            await run.walk().block(run.document.on_error, names, "")
        except StepFailed as second:
            failure.also += [second.type, *second.also]
    await finish(run, "failed", failure, None)


async def _undo_all(run: "Run") -> None:
    await undo.roll_back(run, (ids_in(run.document.block), ""))
    await run.flush()


def _can_be_undone(run: "Run") -> bool:
    return any(not one.over for one in run.state.undos.values())


async def finish(run: "Run", outcome: Outcome, failure: StepFailed | None, output: Any) -> None:
    """The end: rest of the results, the outcome, and an answer to everybody who waits."""
    await run.settled()
    body = None
    if outcome == "succeeded":
        try:
            body = _output(output)
        except StepFailed as too_large:
            await failed(run, too_large)
            return
        if run.state.cancel is not None:
            await cancelled(run)
            return
    if run.values_bytes + len(body or b"") > EVENT_BYTES_MAX:
        await run.flush()
    results, values = run.take_results()
    finished = ExecutionFinished.model_construct(
        workflow_id=run.state.started.workflow_id, outcome=outcome,
        rollback=undo.outcome_of(run.state),
        error=failure and error_fact(failure, run.seal(failure.message)), results=results,
        values=run.seal(values) if results else None,
        output=run.key.seal_bytes(body, run.stream) if body is not None else None,
        output_bytes=len(body or b""), duration_ms=run.duration_ms(),
        steps_count=run.steps_count, effects_count=run.effects_count,
        parent=run.state.started.parent,
    )  # fmt: skip
    run.ended = True
    done = await run.flush(
        finished, op="end", leased=False, closes=run.document.debounce is not None
    )
    run.around.answer_end(run, finished, done.replies, output)


def _output(output: Any) -> bytes:
    body = msgspec.json.encode(output)
    if len(body) > VALUE_BYTES_MAX:
        raise StepFailed(
            "output-too-large",
            f"output of {len(body)} bytes; limit value_bytes {VALUE_BYTES_MAX}",
        )
    return body
