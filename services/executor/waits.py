"""A wait: a fact with a time, a parked execution, and a row in `timers`; nothing else."""

from datetime import datetime, timedelta
from typing import Any, Protocol

from libs.language import ExpressionError, format_rfc3339, parse_duration, parse_rfc3339
from libs.language.document import WaitStep
from services.executor.contract import WaitBegan, WaitEnded
from services.executor.domain import Going, StepFailed, expression_failed
from services.executor.interpret import Parked, Scope

WAIT_MAX = timedelta(days=365)


class Waiter(Protocol):
    state: Going
    pending: list[Any]

    def now(self) -> datetime: ...

    async def evaluate(self, what: Any, scope: Scope, clock: datetime) -> Any: ...

    def note_now(self, path: str, kind: str, since: datetime, value: Any) -> None: ...


async def wait(run: Waiter, step: WaitStep, path: str, scope: Scope) -> Any:
    """The result of the wait when it is over; Parked until then."""
    due = run.state.waits.get(path)
    if due is None:
        due = await _due(run, step, path, scope)
        if due > run.now():
            run.pending.append(WaitBegan(path=path, kind="timer", due_at=due))
            run.state.waits[path] = due
            raise Parked(due)
    elif due > run.now():
        raise Parked(due)
    else:
        run.pending.append(WaitEnded(path=path, reason="due"))
    result = {"reason": "due", "at": format_rfc3339(run.now()), "event": None}
    run.note_now(path, "wait", due, result)
    return result


async def _due(run: Waiter, step: WaitStep, path: str, scope: Scope) -> datetime:
    now = run.now()
    try:
        if step.for_ is not None:
            length = await run.evaluate(step.for_, scope, now)
            due = now + timedelta(seconds=parse_duration(length))
        else:
            due = parse_rfc3339(await run.evaluate(step.until, scope, now))
    except ExpressionError as error:
        raise expression_failed(error, path) from None
    except (ValueError, TypeError, OverflowError) as error:
        raise StepFailed("input-invalid", f"wait: {error}", path) from None
    if due - now > WAIT_MAX:
        raise StepFailed("input-invalid", "wait: at most 365d", path)
    return due
