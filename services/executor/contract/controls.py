"""What a caller does with executions: pause, resume, and all of a filter at once."""

from typing import Annotated, Literal

from pydantic import Field, RootModel

from libs.common.fields import (
    AnyJson,
    Count,
    ExecutionId,
    Flag,
    FreeText,
    HttpPath,
    Label,
    Moment,
    Version,
    Word,
)
from libs.common.messages import Command, Message
from services.executor.contract.asks import ExecutionShown
from services.executor.contract.events import CallOutcome, Outcome, Status, TriggerKind
from services.executor.contract.operations import OperationShown

Reason = Annotated[FreeText | None, Field(max_length=1000)]
SearchText = Annotated[FreeText | None, Field(min_length=1, max_length=200)]


class ExecutionFilter(Message):
    """Which executions, as the list of executions has it; `workflow` by id or name."""

    status: list[Status] | None = None
    outcome: list[Outcome] | None = None
    workflow: list[Word] | None = None
    version: list[Version] | None = None
    trigger: list[TriggerKind] | None = None
    mode: list[Literal["live", "draft", "test", "replay"]] | None = None
    key: list[FreeText] | None = None
    label: list[Label] | None = None
    error_type: list[Word] | None = None
    parent: list[ExecutionId] | None = None
    q: SearchText = None
    from_at: Moment | None = None
    to_at: Moment | None = None


class CallFilter(Message):
    """Which trigger calls, as the ledger's list has it; `workflow` by id or name."""

    outcome: list[CallOutcome] | None = None
    workflow: list[Word] | None = None
    kind: list[TriggerKind] | None = None
    path: list[HttpPath] | None = None
    from_at: Moment | None = None
    to_at: Moment | None = None


class CountShown(Message):
    """How many it would be."""

    count: Count


class OperationOrCount(RootModel[OperationShown | CountShown]):
    """The operation, or with `dry_run` how many it would be."""


class PauseExecution(
    Command,
    type="executor.command.pause-execution",
    permission="executions:control",
    answers=ExecutionShown,
):
    """Hold before the next step; answers ExecutionShown. Refuses: execution-ended."""

    execution_id: ExecutionId
    reason: Reason = None


class ResumeExecution(
    Command,
    type="executor.command.resume-execution",
    permission="executions:control",
    answers=ExecutionShown,
):
    """Go on; for one that a step paused `decision` says what becomes of the step, and `value`
    is its result with `accept`. Answers ExecutionShown. Refuses: execution-ended, not-paused."""

    execution_id: ExecutionId
    decision: Literal["go-on", "retry", "fail", "accept"] = "go-on"
    value: AnyJson = None


class CancelExecutions(
    Command,
    type="executor.command.cancel-executions",
    permission="executions:control",
    answers=OperationOrCount,
):
    """All of a filter that have not ended. Answers OperationShown, or with `dry_run` CountShown."""

    filter: ExecutionFilter
    dry_run: Flag = False
    rollback: Flag = False
    reason: Reason = None


class PauseExecutions(
    Command,
    type="executor.command.pause-executions",
    permission="executions:control",
    answers=OperationOrCount,
):
    """All of a filter that have not ended and are not paused; answers as CancelExecutions."""

    filter: ExecutionFilter
    dry_run: Flag = False
    reason: Reason = None


class ResumeExecutions(
    Command,
    type="executor.command.resume-executions",
    permission="executions:control",
    answers=OperationOrCount,
):
    """All of a filter that are paused; answers as CancelExecutions."""

    filter: ExecutionFilter
    dry_run: Flag = False
    decision: Literal["go-on", "retry", "fail"] = "go-on"


class ResendCalls(
    Command,
    type="executor.command.resend-calls",
    permission="triggers:resend",
    answers=OperationOrCount,
):
    """All calls of a filter through routing again; answers as CancelExecutions."""

    filter: CallFilter
    dry_run: Flag = False
