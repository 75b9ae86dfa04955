"""What callers ask of the executor; the answers are what REST shows."""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.fields import (
    AnyJson,
    ApiKeyId,
    Bytes,
    CallId,
    Count,
    EventId,
    ExecutionId,
    Flag,
    FreeText,
    HttpPath,
    Label,
    LabelText,
    Milliseconds,
    Moment,
    Number,
    SealedJson,
    StepPath,
    Version,
    Word,
    WorkflowId,
)
from libs.common.lists import Page, PageQuery
from libs.common.messages import Command, Message, Query
from services.executor.contract.events import (
    CallOutcome,
    Outcome,
    RuleBroken,
    Status,
    TriggerFact,
    TriggerKind,
)


class CallRecorded(Message):
    """Nothing more to say: it is in the ledger."""


class RecordCall(Command, type="executor.command.record-call", answers=CallRecorded):
    """The gateway tells of a call that starts nothing (sealed for `call-<org>-<call>`)."""

    call_id: CallId
    path: HttpPath
    outcome: Literal["refused", "unmatched"]
    reason: Word
    workflow_id: WorkflowId | None = None
    headers: SealedJson | None = None
    body: SealedJson | None = None
    bytes: Bytes = 0


class CallShown(Message):
    id: CallId
    kind: TriggerKind
    path: HttpPath | None
    outcome: CallOutcome
    reason: Word | None
    workflow: WorkflowId | None
    execution: ExecutionId | None
    errors: list[RuleBroken]
    size_bytes: Bytes
    resent_as: ExecutionId | None
    called_at: Moment


class CallData(Message):
    id: CallId
    headers: AnyJson
    body: AnyJson


class FindCalls(
    PageQuery, type="executor.query.find-calls", permission="triggers:read", answers=Page[CallShown]
):
    outcome: list[CallOutcome] | None = None
    workflow: list[WorkflowId] | None = None
    kind: list[TriggerKind] | None = None
    path: list[HttpPath] | None = None
    from_at: Moment | None = None
    to_at: Moment | None = None


class FindCall(
    Query, type="executor.query.find-call", permission="triggers:read", answers=CallShown
):
    call_id: CallId


class OpenCall(
    Query, type="executor.query.open-call", permission="payloads:read", answers=CallData
):
    call_id: CallId


class CallResentShown(Message):
    call: CallId
    execution: ExecutionId


class ResendCall(
    Command,
    type="executor.command.resend-call",
    permission="triggers:resend",
    answers=CallResentShown,
):
    """Through routing again, once per call and caller's key."""

    call_id: CallId


QueuedFor = Literal["concurrency-key", "rate", "debounce", "places"]


class ErrorShown(Message):
    """`item` are the numbers in the loops around the step (`[3]`), `also` the types of errors in
    the handlers that ran then, `remedy` what can be done. What was sent and what came back is in
    the step's data."""

    type: Word
    step: StepPath | None
    item: StepPath | None
    attempts: Count | None
    status: Number | None
    also: list[Word]
    remedy: LabelText | None


class ExecutionShown(Message):
    id: ExecutionId
    workflow: WorkflowId
    version: Version
    status: Status
    queued_for: QueuedFor | None
    outcome: Outcome | None
    mode: Literal["live", "draft", "test", "replay"]
    trigger: TriggerFact
    labels: dict[Word, LabelText]
    started_at: Moment
    ended_at: Moment | None
    duration_ms: Milliseconds | None
    waiting_for: StepPath | None
    due_at: Moment | None
    error: ErrorShown | None
    cancel_requested: Flag
    steps_count: Count
    effects_count: Count
    rollback: Literal["none", "done", "incomplete"] | None = None
    parent: ExecutionId | None = None


class FindExecutions(
    PageQuery,
    type="executor.query.find-executions",
    permission="executions:read",
    answers=Page[ExecutionShown],
):
    status: list[Status] | None = None
    outcome: list[Outcome] | None = None
    workflow: list[WorkflowId] | None = None
    version: list[Version] | None = None
    trigger: list[TriggerKind] | None = None
    mode: list[Literal["live", "draft", "test", "replay"]] | None = None
    key: list[FreeText] | None = None
    label: list[Label] | None = None
    error_type: list[Word] | None = None
    parent: list[ExecutionId] | None = None
    q: Annotated[FreeText | None, Field(min_length=1, max_length=200)] = None
    from_at: Moment | None = None
    to_at: Moment | None = None


class FindExecution(
    Query,
    type="executor.query.find-execution",
    permission="executions:read",
    answers=ExecutionShown,
):
    execution_id: ExecutionId


class TimelineEntry(Message):
    """One thing that happened in an execution; never what it processed."""

    id: EventId
    kind: Literal[
        "started", "step", "effect-began", "effect-ended", "egress-refused", "wait-began",
        "wait-ended", "cancel-requested", "paused", "resumed", "approval-requested",
        "approval-decided", "approval-reminded", "approval-expired",
        "rollback-began", "undo-began", "undo-ended", "late-result-refused", "finished", "migrated",
        "replayed", "reversal-began", "reversal-ended",
    ]  # fmt: skip
    step: StepPath | None
    attempt: Count | None
    status: Word | None
    error: ErrorShown | None
    due_at: Moment | None
    duration_ms: Milliseconds | None
    by: ApiKeyId | Word | None
    at: Moment


class FindTimeline(
    PageQuery,
    type="executor.query.find-timeline",
    permission="executions:read",
    answers=Page[TimelineEntry],
):
    execution_id: ExecutionId
    order: Literal["desc", "asc"] = "asc"


class ExecutionData(Message):
    id: ExecutionId
    step: StepPath | None = None
    input: AnyJson = None
    output: AnyJson = None
    result: AnyJson = None
    sent: AnyJson = None
    error: FreeText | None = None
    undo_error: FreeText | None = None


class OpenData(
    Query, type="executor.query.open-data", permission="payloads:read", answers=ExecutionData
):
    """Input and output; with `step` the result of one step (`post[3]`), or what it sent and what
    came back where it has none."""

    execution_id: ExecutionId
    step: StepPath | None = None


class CancelExecution(
    Command,
    type="executor.command.cancel-execution",
    permission="executions:control",
    answers=ExecutionShown,
):
    execution_id: ExecutionId
    rollback: Flag = False
    reason: Annotated[FreeText | None, Field(max_length=1000)] = None


class ConnectorCard(Message):
    type: Word
    version: Version
    title: Label
    effect: Literal["none", "read", "write"]
    inputs: AnyJson
    outputs: AnyJson


class ListConnectors(Query, type="executor.query.list-connectors", answers=Page[ConnectorCard]):
    connector: Word | None = None
