"""What others write into a running execution's stream, and how it answers: pause, people, undo."""

from typing import Literal

from libs.common.fields import (
    Actor,
    ApprovalId,
    Bytes,
    CallId,
    Count,
    EventId,
    ExecutionId,
    Flag,
    HostName,
    Milliseconds,
    Moment,
    Number,
    SealedJson,
    SealedText,
    StepPath,
    Word,
    WorkflowId,
)
from libs.common.messages import Event
from services.executor.contract.events import ErrorFact


class CancelRequested(Event, type="executor.event.cancel-requested", public=True):
    rollback: Flag
    reason: SealedText | None


class ExecutionPaused(Event, type="executor.event.execution-paused", public=True):
    """By a person, or by a step whose last attempt failed or whose outcome nobody knows."""

    cause: Literal["person", "step-failed", "outcome-unknown"]
    path: StepPath | None
    reason: SealedText | None


class ExecutionResumed(Event, type="executor.event.execution-resumed", public=True):
    """`retry` tries the step that paused again, `fail` lets it fail, `accept` gives its result."""

    decision: Literal["go-on", "retry", "fail", "accept"]
    path: StepPath | None
    value: SealedJson | None


class ApprovalRequested(Event, type="executor.event.approval-requested", public=True):
    approval_id: ApprovalId
    workflow_id: WorkflowId
    path: StepPath
    by: list[Word]
    quorum: Count
    message: SealedText
    input: SealedJson | None
    editable: Flag
    not_the_starter: Flag
    asked_at: Moment
    due_at: Moment | None


class ApprovalDecided(Event, type="executor.event.approval-decided", public=True):
    """One person's decision; a rejection ends it, an approval counts towards the quorum."""

    approval_id: ApprovalId
    path: StepPath
    person_id: Actor
    decision: Literal["approved", "rejected"]
    comment: SealedText | None
    input: SealedJson | None


class ApprovalReminded(Event, type="executor.event.approval-reminded", public=True):
    approval_id: ApprovalId
    workflow_id: WorkflowId
    path: StepPath
    by: list[Word]
    reminder: Count


class ApprovalExpired(Event, type="executor.event.approval-expired", public=True):
    approval_id: ApprovalId
    path: StepPath
    policy: Literal["reject", "approve", "fail"]


class InputCollected(Event, type="executor.event.input-collected"):
    """A call within the debounce window gives its input to the execution that waits for quiet."""

    call_id: CallId
    input: SealedJson
    bytes: Bytes


class StartsCollected(Event, type="executor.event.starts-collected", public=True):
    """So many calls became this one execution, which begins now."""

    count: Count


class EventOffered(Event, type="executor.event.event-offered"):
    """An event came that may be the one a wait is for; the execution looks itself."""

    event_id: EventId
    event_type: Word


class RollbackBegan(Event, type="executor.event.rollback-began", public=True):
    """From here on effects are undone in reverse order; the first error stays the error."""

    cause: Literal["failed", "cancelled"]
    error: ErrorFact | None


class ReversalBegan(Event, type="executor.event.reversal-began", public=True):
    """Its parent, which waited for it, is rolled back: its own effects are undone too."""

    parent_id: ExecutionId


class ReversalEnded(Event, type="executor.event.reversal-ended", public=True):
    """How the effects were undone; its outcome and its output stay as they were."""

    rollback: Literal["none", "done", "incomplete"]


class UndoBegan(Event, type="executor.event.undo-began"):
    path: StepPath
    connector: Word
    attempt: Count
    idempotency_key: StepPath
    host: HostName
    first_at: Moment


class UndoEnded(Event, type="executor.event.undo-ended", public=True):
    """`impossible`: its request could not be computed when the step completed."""

    path: StepPath
    attempt: Count
    outcome: Literal["done", "failed", "impossible"]
    status: Number | None
    duration_ms: Milliseconds
    error: ErrorFact | None
    retry_at: Moment | None
