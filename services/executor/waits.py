"""A wait: a fact with a time or an event, a parked execution, and a row in `timers`."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from libs.language import ExpressionError, format_rfc3339, parse_duration, parse_rfc3339
from libs.language.steps import EventWait, WaitStep
from services.executor.contract import WaitBegan, WaitEnded
from services.executor.failure import StepFailed
from services.executor.host import NEVER, Parked, Scope, expression_failed, kind_of

if TYPE_CHECKING:
    from services.executor.run import Run

WAIT_MAX = timedelta(days=365)


async def wait(run: "Run", step: WaitStep, path: str, scope: Scope) -> Any:
    """The result of the wait when it is over; Parked until then."""
    if run.state.waits_ended.get(path) == "timed-out" and step.on_timeout == "fail":
        raise _timed_out(path)
    if step.event is not None:
        return await _for_event(run, step, step.event, path, scope)
    began = run.state.waits.get(path)
    due = began.due_at if began is not None else await _due(run, step, path, scope)
    assert due is not None, "a wait for a time has one"
    begun_at = began.began_at if began is not None and began.began_at else run.first_seen(path)
    late = step.timeout_s is not None and begun_at + timedelta(seconds=step.timeout_s) <= due
    if late and step.timeout_s is not None:
        due = begun_at + timedelta(seconds=step.timeout_s)
    if due > run.now():
        if began is None:
            run.tell(WaitBegan(path=path, kind="timer", due_at=due, began_at=begun_at))
        raise Parked(due)
    if not late:
        return _over(run, path, due, "due", None)
    return _late(run, step, path, due)


async def _for_event(run: "Run", step: WaitStep, wanted: EventWait, path: str, scope: Scope) -> Any:
    """The first event that fits and that no other wait of this execution took."""
    began = run.state.waits.get(path)
    since = run.started_at
    if wanted.look_back_s is not None:
        since = max(since, run.first_seen(path) - timedelta(seconds=wanted.look_back_s))
    for event in await run.around.arrivals(run, step, since):
        taken = event["id"] in run.state.events_used or event["id"] in run.events_taken
        if not taken and await _fits(run, wanted, event, path, scope):
            run.events_taken.add(event["id"])
            return _over(run, path, run.now(), "event", event)
    if began is None:
        due = None if step.timeout_s is None else run.now() + timedelta(seconds=step.timeout_s)
        run.tell(WaitBegan(
            path=path, kind="event", due_at=due, began_at=run.first_seen(path),
            event_type=wanted.type,
        ))  # fmt: skip
        raise Parked(due or NEVER)
    if began.due_at is None or began.due_at > run.now():
        raise Parked(began.due_at or NEVER)
    return _late(run, step, path, began.due_at)


def _late(run: "Run", step: WaitStep, path: str, due: datetime) -> Any:
    result = _over(run, path, due, "timed-out", None, failing=step.on_timeout == "fail")
    if step.on_timeout == "fail":
        raise _timed_out(path)
    return result


async def _fits(run: "Run", wanted: EventWait, event: Any, path: str, scope: Scope) -> bool:
    if wanted.match is None:
        return True
    try:
        fits = await run.evaluate(wanted.match, {**scope, "event": event}, run.now())
    except ExpressionError as error:
        raise expression_failed(error, path) from None
    if not isinstance(fits, bool):
        raise StepFailed(
            "expression-type", f"match: a boolean was expected, not {kind_of(fits)}", path
        )
    return fits


def _over(
    run: "Run", path: str, since: datetime, reason: Any, event: Any, *, failing: bool = False
) -> Any:
    if path in run.state.waits or reason == "event":
        run.tell(WaitEnded(path=path, reason=reason, event_id=event["id"] if event else None))
    result = {"reason": reason, "at": format_rfc3339(run.now()), "event": event}
    if not failing:
        run.note_now(path, "wait", since, result)
    return result


def _timed_out(path: str) -> StepFailed:
    return StepFailed("wait-timeout", "nothing came in time", path)


async def _due(run: "Run", step: WaitStep, path: str, scope: Scope) -> datetime:
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
