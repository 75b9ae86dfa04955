"""What others may ask of the executor, and the facts it records."""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.errors import Conflict
from libs.common.fields import (
    AnyJson,
    ApiKeyId,
    Bytes,
    CallId,
    Count,
    Digest,
    EventId,
    ExecutionId,
    Flag,
    FreeText,
    HostName,
    HttpPath,
    Label,
    LabelText,
    Milliseconds,
    Moment,
    Number,
    Pointer,
    SealedJson,
    SealedText,
    StepPath,
    Version,
    Word,
    WorkflowId,
)  # fmt: skip
from libs.common.lists import PageQuery
from libs.common.messages import Command, Event, Message, Query

SERVICE = "executor"
Outcome = Literal["succeeded", "failed", "cancelled"]
Status = Literal[
    "queued", "running", "waiting", "paused", "rolling-back", "succeeded", "failed", "cancelled"
]
CallOutcome = Literal["started", "duplicate", "refused", "unmatched"]
TriggerKind = Literal["webhook", "manual", "schedule", "event"]


class ExecutionEnded(Conflict):
    code = "execution-ended"


# -- events ------------------------------------------------------------------------------------


class TriggerFact(Message):
    kind: TriggerKind
    call_id: CallId
    path: HttpPath | None = None


class ErrorFact(Message):
    type: Word
    path: StepPath | None = None
    attempts: Count | None = None
    message: SealedText | None = None


class ResultFact(Message):
    """That one step or item has its result; the values of a batch are sealed together."""

    path: StepPath
    kind: Word
    status: Literal["done", "skipped"] = "done"
    started_at: Moment
    ended_at: Moment
    bytes: Bytes


class RuleBroken(Message):
    pointer: Pointer
    rule: Word


class TriggerCallUnmatched(Event, type="executor.event.trigger-call-unmatched", public=True):
    call_id: CallId
    kind: TriggerKind
    path: HttpPath
    reason: Literal["no-such-path", "disabled", "archived"]
    headers: SealedJson | None
    body: SealedJson | None
    bytes: Bytes


class TriggerCallRefused(Event, type="executor.event.trigger-call-refused", public=True):
    call_id: CallId
    kind: TriggerKind
    path: HttpPath | None
    workflow_id: WorkflowId | None
    reason: Word
    errors: list[RuleBroken]
    body: SealedJson | None


class TriggerCallRepeated(Event, type="executor.event.trigger-call-repeated"):
    call_id: CallId
    kind: TriggerKind
    path: HttpPath | None
    execution_id: ExecutionId


class CallResent(Event, type="executor.event.call-resent", public=True):
    call_id: CallId
    execution_id: ExecutionId


class ExecutionStarted(Event, type="executor.event.execution-started", public=True):
    """From here on the execution is promised."""

    execution_id: ExecutionId
    workflow_id: WorkflowId
    workflow_version: Version
    mode: Literal["live", "draft", "test", "replay"]
    trigger: TriggerFact
    idempotency_digest: Digest
    body_digest: Digest
    input: SealedJson
    input_bytes: Bytes
    labels: dict[Word, LabelText]


class ExecutionProgressed(Event, type="executor.event.execution-progressed"):
    """Results of pure steps since the last commit; `values` are in the order of `results`."""

    results: list[ResultFact]
    values: SealedJson
    budget_used: Count


class EffectBegan(Event, type="executor.event.effect-began"):
    path: StepPath
    connector: Word
    effect: Literal["none", "read", "write"]
    attempt: Count
    idempotency_key: StepPath
    host: HostName
    request: SealedJson
    first_at: Moment


class EffectEnded(Event, type="executor.event.effect-ended"):
    path: StepPath
    attempt: Count
    outcome: Literal["done", "failed"]
    status: Number | None
    duration_ms: Milliseconds
    value: SealedJson | None
    bytes: Bytes
    error: ErrorFact | None
    retry_at: Moment | None


class EgressRefused(Event, type="executor.event.egress-refused", public=True):
    path: StepPath
    host: HostName
    rule: Word


class WaitBegan(Event, type="executor.event.wait-began", public=True):
    path: StepPath
    kind: Literal["timer", "retry"]
    due_at: Moment


class WaitEnded(Event, type="executor.event.wait-ended", public=True):
    path: StepPath
    reason: Literal["due", "cancelled"]


class CancelRequested(Event, type="executor.event.cancel-requested", public=True):
    rollback: Flag
    reason: SealedText | None


class ExecutionFinished(Event, type="executor.event.execution-finished", public=True):
    """The end, exactly one."""

    workflow_id: WorkflowId
    outcome: Outcome
    rollback: Literal["none", "done", "incomplete"]
    error: ErrorFact | None
    results: list[ResultFact]
    values: SealedJson | None
    output: SealedJson | None
    output_bytes: Bytes
    duration_ms: Milliseconds
    steps_count: Count
    effects_count: Count


class LateResultRefused(Event, type="executor.event.late-result-refused"):
    path: StepPath
    attempt: Count
    lease: Word


# -- queries and commands (the answers are what REST shows) --------------------------------------


class RecordCall(Command, type="executor.command.record-call"):
    """The gateway tells of a call that starts nothing (sealed for `call-<org>-<call>`)."""

    call_id: CallId
    path: HttpPath
    outcome: Literal["refused", "unmatched"]
    reason: Word
    workflow_id: WorkflowId | None = None
    headers: SealedJson | None = None
    body: SealedJson | None = None
    bytes: Bytes = 0


class FindCalls(PageQuery, type="executor.query.find-calls", permission="triggers:read"):
    outcome: list[CallOutcome] | None = None
    workflow: list[WorkflowId] | None = None
    kind: list[TriggerKind] | None = None
    path: list[HttpPath] | None = None
    from_at: Moment | None = None
    to_at: Moment | None = None


class FindCall(Query, type="executor.query.find-call", permission="triggers:read"):
    call_id: CallId


class OpenCall(Query, type="executor.query.open-call", permission="payloads:read"):
    call_id: CallId


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


class ResendCall(Command, type="executor.command.resend-call", permission="triggers:resend"):
    """Through routing again, once per call and caller's key; answers CallResentShown."""

    call_id: CallId


class CallResentShown(Message):
    call: CallId
    execution: ExecutionId


class FindExecutions(
    PageQuery, type="executor.query.find-executions", permission="executions:read"
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
    from_at: Moment | None = None
    to_at: Moment | None = None


class FindExecution(Query, type="executor.query.find-execution", permission="executions:read"):
    execution_id: ExecutionId


class ErrorShown(Message):
    type: Word
    step: StepPath | None
    attempts: Count | None


class ExecutionShown(Message):
    id: ExecutionId
    workflow: WorkflowId
    version: Version
    status: Status
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


class FindTimeline(PageQuery, type="executor.query.find-timeline", permission="executions:read"):
    execution_id: ExecutionId
    order: Literal["desc", "asc"] = "asc"


class TimelineEntry(Message):
    """One thing that happened in an execution; never what it processed."""

    id: EventId
    kind: Literal[
        "started", "step", "effect-began", "effect-ended", "egress-refused", "wait-began",
        "wait-ended", "cancel-requested", "late-result-refused", "finished",
    ]  # fmt: skip
    step: StepPath | None
    attempt: Count | None
    status: Word | None
    error: ErrorShown | None
    due_at: Moment | None
    duration_ms: Milliseconds | None
    by: ApiKeyId | Word | None
    at: Moment


class OpenData(Query, type="executor.query.open-data", permission="payloads:read"):
    """Input and output; with `step` the result of one step (`post[3]`)."""

    execution_id: ExecutionId
    step: StepPath | None = None


class ExecutionData(Message):
    id: ExecutionId
    step: StepPath | None = None
    input: AnyJson = None
    output: AnyJson = None
    result: AnyJson = None
    error: FreeText | None = None


class CancelExecution(
    Command, type="executor.command.cancel-execution", permission="executions:control"
):
    execution_id: ExecutionId
    rollback: Flag = False
    reason: Annotated[FreeText | None, Field(max_length=1000)] = None


class ListConnectors(Query, type="executor.query.list-connectors"):
    connector: Word | None = None


class ConnectorCard(Message):
    type: Word
    version: Version
    title: Label
    effect: Literal["none", "read", "write"]
    inputs: AnyJson
    outputs: AnyJson
