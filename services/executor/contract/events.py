"""The facts that the executor records."""

from typing import Literal

from pydantic import Field

from libs.common.fields import (
    Bytes,
    CallId,
    Count,
    Digest,
    EventId,
    ExecutionId,
    Flag,
    HostName,
    HttpPath,
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
)
from libs.common.messages import Event, Message

Outcome = Literal["succeeded", "failed", "cancelled"]
Status = Literal[
    "queued", "running", "waiting", "paused", "rolling-back", "succeeded", "failed", "cancelled"
]
CallOutcome = Literal["started", "duplicate", "refused", "unmatched"]
TriggerKind = Literal["webhook", "manual", "schedule", "event", "workflow"]
WaitKind = Literal["timer", "retry", "event", "approval", "workflow"]


class TriggerFact(Message):
    """`depth`: how many executions in a row, this one included, were started by events."""

    kind: TriggerKind
    call_id: CallId
    path: HttpPath | None = None
    schedule: Word | None = None
    due_at: Moment | None = None
    event_id: EventId | None = None
    event_type: Word | None = None
    depth: Count = 0


class ParentFact(Message):
    """The execution whose step `path` started this one; `depth` counts from 1."""

    execution_id: ExecutionId
    path: StepPath
    depth: Count
    awaited: Flag = True


class ReplayFact(Message):
    """Which execution this one repeats, and from where (None: from its start)."""

    execution_id: ExecutionId
    from_step: StepPath | None


class DraftFact(Message):
    """The document as it was when the draft was run, and results that are given by step."""

    draft_version: Version
    document: SealedJson
    pins: SealedJson | None = None


class ErrorFact(Message):
    """`also` are the types of errors in `finally`, `catch` and `on_error` after the first one."""

    type: Word
    path: StepPath | None = None
    attempts: Count | None = None
    status: Number | None = None
    message: SealedText | None = None
    also: list[Word] = Field(default=[])


class UndoFact(Message):
    """How an effect can be undone: the request as computed when it completed, or why it can't."""

    connector: Word
    host: HostName
    request: SealedJson | None = None
    impossible: SealedText | None = None


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
    parent: ParentFact | None = None
    concurrency_key: Digest | None = None
    replays: ReplayFact | None = None
    draft: DraftFact | None = None


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
    snapshot: SealedJson | None = None


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
    undo: UndoFact | None = None
    host: HostName | None = None


class EgressRefused(Event, type="executor.event.egress-refused", public=True):
    path: StepPath
    host: HostName
    rule: Word


class WaitBegan(Event, type="executor.event.wait-began", public=True):
    """`due_at` is when it ends by itself; None: only by what it waits for."""

    path: StepPath
    kind: WaitKind
    due_at: Moment | None
    began_at: Moment | None = None
    event_type: Word | None = None
    execution_id: ExecutionId | None = None


class WaitEnded(Event, type="executor.event.wait-ended", public=True):
    path: StepPath
    reason: Literal["due", "event", "decided", "timed-out", "ended", "cancelled"]
    event_id: EventId | None = None


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
    parent: ParentFact | None = None


class LateResultRefused(Event, type="executor.event.late-result-refused"):
    path: StepPath
    attempt: Count
    lease: Word
