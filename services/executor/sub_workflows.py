"""A `workflow` step: starts an execution of another workflow, and waits for its end."""

import asyncio
from typing import TYPE_CHECKING, Any

from libs.common.eventstore import stream_of
from libs.language import ExpressionError
from libs.language.steps import WorkflowStep
from services.executor.contract import WaitBegan, WaitEnded
from services.executor.failure import StepFailed
from services.executor.host import Parked, Scope, expression_failed

if TYPE_CHECKING:
    from services.executor.run import Run


async def call(run: "Run", step: WorkflowStep, path: str, scope: Scope) -> Any:
    """The callee's output when it has succeeded, `{execution}` at once when detached.

    The child's id follows from this execution and the path: starting it twice is one start.
    """
    child = run.state.children.get(path)
    if child is None:
        since = run.now()
        given = await _given(run, step, path, scope)
        if run.unsaid is not None:
            await run.flush()  # no child before its parent
        child = await _started(run, step, path, given)
        if step.detached:
            result = {"execution": child}
            run.note_now(path, "workflow", since, result)
            return result
        run.tell(WaitBegan(path=path, kind="workflow", due_at=None, execution_id=child))
        raise Parked
    ended = (await run.ended_children()).get(child)
    if ended is None and run.state.waits_ended.get(path) == "ended":
        # its output would have been recorded by the same commit
        raise StepFailed("workflow-failed", f"{step.workflow} ({child}) did not succeed", path)
    if ended is None:
        raise Parked
    if path in run.state.waits:
        run.tell(WaitEnded(path=path, reason="ended"))
    if ended.outcome != "succeeded":
        raise StepFailed("workflow-failed", f"{step.workflow} ({child}) {ended.outcome}", path)
    stream = stream_of("execution", run.org, child)
    output = run.key.open(ended.output, stream) if ended.output is not None else None
    run.note_now(path, "workflow", run.now(), output)
    return output


async def _started(run: "Run", step: WorkflowStep, path: str, given: Any) -> str:
    """A cancel in between leaves no child that nobody knows of."""
    starting = asyncio.ensure_future(run.around.start_child(run, step, path, given))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        if run.holding and not step.detached:
            child = await starting
            run.tell(WaitBegan(path=path, kind="workflow", due_at=None, execution_id=child))
        raise


async def _given(run: "Run", step: WorkflowStep, path: str, scope: Scope) -> Any:
    if step.with_ is None:
        return None
    try:
        return await run.evaluate(step.with_, scope, run.now())
    except ExpressionError as error:
        raise expression_failed(error, path) from None
