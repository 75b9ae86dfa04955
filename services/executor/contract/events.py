"""The facts that the executor records."""

from typing import Literal

from libs.common.fields import (
    Bytes,
    CallId,
    Count,
    Digest,
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
TriggerKind = Literal["webhook", "manual", "schedule", "event"]


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
