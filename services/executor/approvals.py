"""An approval: people are asked once, reminded, and their decisions counted when they come."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from libs.common import ids
from libs.language import ExpressionError, format_rfc3339
from libs.language.schema import compile_schema, validate_input
from libs.language.steps import ApprovalStep
from services.executor.contract import (
    ApprovalExpired,
    ApprovalReminded,
    ApprovalRequested,
    WaitBegan,
    WaitEnded,
)  # fmt: skip
from services.executor.deciding import Approval, agreeing
from services.executor.failure import StepFailed
from services.executor.host import NEVER, Parked, Scope, expression_failed

if TYPE_CHECKING:
    from services.executor.run import Run

MESSAGE_CHARS_MAX = 4000


async def ask(run: "Run", step: ApprovalStep, path: str, scope: Scope) -> Any:
    """The result when it is decided or its time is over; Parked until then."""
    approval = run.state.approvals.get(path)
    if approval is None:
        due = await _request(run, step, path, scope)
        raise Parked(min(due, _next_reminder(step, run.now(), 0)))
    if approval.rejected:
        return _decided(run, step, path, approval, "rejected")
    if approval.approved:
        return _decided(run, step, path, approval, "approved")
    due = approval.asked.due_at or NEVER
    if approval.expired or due <= run.now():
        return _expired(run, step, path, approval)
    raise Parked(min(due, _reminded(run, step, path, approval)))


async def _request(run: "Run", step: ApprovalStep, path: str, scope: Scope) -> datetime:
    now = run.now()
    try:
        message = str(await run.evaluate(step.message, scope, now))[:MESSAGE_CHARS_MAX]
        value = None
        if step.input_value is not None:
            value = await run.evaluate(step.input_value, scope, now)
    except ExpressionError as error:
        raise expression_failed(error, path) from None
    if step.input_schema is not None:
        value, problems = validate_input(compile_schema(step.input_schema), value)
        if problems:
            raise StepFailed(
                "input-invalid", f"input{problems[0].pointer}: {problems[0].detail}", path
            )
    due = None if step.timeout_s is None else now + timedelta(seconds=step.timeout_s)
    asked = ApprovalRequested(
        approval_id=ids.derived("apv", run.id, path),
        workflow_id=run.state.started.workflow_id, path=path, by=list(step.by),
        quorum=step.quorum, message=run.seal(message),
        input=None if value is None else run.seal(value), editable=step.input_schema is not None,
        not_the_starter=step.not_the_starter, asked_at=now, due_at=due,
    )  # fmt: skip
    run.tell(asked, WaitBegan(path=path, kind="approval", due_at=due))
    return due or NEVER


def _next_reminder(step: ApprovalStep, asked_at: datetime, reminders: int) -> datetime:
    if step.remind_s is None:
        return NEVER
    return asked_at + timedelta(seconds=step.remind_s * (reminders + 1))


def _reminded(run: "Run", step: ApprovalStep, path: str, approval: Approval) -> datetime:
    """When the next reminder is due, after having said the one that is due now."""
    count = approval.reminders
    while (due := _next_reminder(step, approval.asked.asked_at, count)) <= run.now():
        count += 1
    if count > approval.reminders:
        run.tell(ApprovalReminded(
            approval_id=approval.asked.approval_id, workflow_id=approval.asked.workflow_id,
            path=path, by=approval.asked.by, reminder=count,
        ))  # fmt: skip
    return due


def _expired(run: "Run", step: ApprovalStep, path: str, approval: Approval) -> Any:
    if not approval.expired:
        run.tell(ApprovalExpired(
            approval_id=approval.asked.approval_id, path=path, policy=step.on_timeout
        ))  # fmt: skip
    if step.on_timeout == "fail":
        _close(run, path, "timed-out")
        raise StepFailed("approval-timeout", "nobody decided in time", path)
    return _decided(run, step, path, approval, "timed-out")


def _decided(run: "Run", step: ApprovalStep, path: str, approval: Approval, how: str) -> Any:
    _close(run, path, "timed-out" if how == "timed-out" else "decided")
    refused = how == "rejected" or (how == "timed-out" and step.on_timeout == "reject")
    comments = [run.open(d.comment) for d in approval.decisions if d.comment is not None]
    if refused and step.on_reject == "fail":
        why = f": {comments[-1]}" if comments else ""
        raise StepFailed("approval-rejected", f"{how}{why}", path)
    counting = agreeing(approval.decisions) if approval.approved else approval.decisions
    changed = [d.input for d in approval.decisions if d.input is not None]
    sealed = changed[-1] if changed else approval.asked.input
    result = {
        "decision": how, "decided_by": [d.person_id for d in counting],
        "comment": comments[-1] if comments else None,
        "input": None if sealed is None else run.open(sealed), "at": format_rfc3339(run.now()),
    }  # fmt: skip
    run.note_now(path, "approval", approval.asked.asked_at, result)
    return result


def _close(run: "Run", path: str, reason: Any) -> None:
    if path in run.state.waits:
        run.tell(WaitEnded(path=path, reason=reason))
