"""Drafts that are run, tried, tested, and held against past executions."""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.fields import (
    AnyJson,
    Count,
    ExecutionId,
    Flag,
    FreeText,
    HostName,
    Milliseconds,
    Number,
    Pointer,
    SealedJson,
    StepPath,
    Version,
    Word,
    WorkflowId,
)
from libs.common.messages import Command, Event, Message, Query
from services.executor.contract.events import Outcome

LastFew = Annotated[Count, Field(ge=1, le=50)]


class DifferenceShown(Message):
    """Where something is not as expected: `different`, `missing`, `unexpected`, or another word."""

    pointer: Pointer
    rule: Word
    detail: FreeText
    expected: AnyJson
    got: AnyJson


class CaseShown(Message):
    name: FreeText
    passed: Flag
    outcome: Outcome | None
    duration_ms: Milliseconds
    differences: list[DifferenceShown]


class TestsShown(Message):
    __test__ = False

    workflow: WorkflowId
    passed: Flag
    total: Count
    failed: Count
    cases: list[CaseShown]


class DraftStartedShown(Message):
    execution: ExecutionId
    draft_version: Version


class TriedError(Message):
    """`column` is the place within the expression that had no value."""

    type: Word
    message: FreeText
    path: StepPath | None
    attempts: Count | None
    column: Count | None


class EffectAsked(Message):
    """What was asked of the world; secrets in `sent` are references."""

    path: StepPath
    connector: FreeText
    attempts: Count
    sent: AnyJson


class TriedShown(Message):
    outcome: Literal["succeeded", "failed", "stopped"]
    result: AnyJson
    error: TriedError | None
    stopped: FreeText | None
    effects: list[EffectAsked]


class StepDiffers(Message):
    """`request`, `result`, `missing` (it did not come now), `new` (it was not there before),
    `outcome`, `output`; pointers are empty and values null for who may not read payloads, and
    values beyond a million bytes together are null too."""

    step: StepPath | None
    what: Literal["request", "result", "missing", "new", "outcome", "output", "stopped"]
    pointer: Pointer
    recorded: AnyJson
    now: AnyJson
    detail: FreeText | None = None


class GoldenOne(Message):
    """One execution: `first` is the first step that differs; effects are steps by path."""

    execution: ExecutionId
    version: Version
    same: Flag
    recorded_outcome: Outcome
    outcome: Outcome | None
    first: StepDiffers | None
    differences: list[StepDiffers]
    new_effects: list[StepPath]
    missing_effects: list[StepPath]
    changed_effects: list[StepPath]


class GoldenShown(Message):
    """`skipped`: executions that were cancelled, or whose values are forgotten."""

    workflow: WorkflowId
    same: Flag
    total: Count
    differing: Count
    skipped: Count
    executions: list[GoldenOne]


class TestDraft(
    Command, type="executor.command.test-draft", permission="executions:start", answers=TestsShown
):
    """Runs the `tests` of the draft, simulated. Refuses: workflow-invalid."""

    __test__ = False

    workflow: Word


class TestDocument(Query, type="executor.query.test-document", answers=TestsShown):
    """What publishing asks: do the tests of this document (sealed for the workflow) pass?"""

    __test__ = False

    workflow_id: WorkflowId
    document: SealedJson


class StartDraft(
    Command,
    type="executor.command.start-execution",
    permission="executions:start",
    answers=DraftStartedShown,
):
    """Runs the draft as it is now, with its effects; it is neither counted nor billed.

    `pins` are results by step (`post`, or one item's `post[3]`) that are taken instead of doing
    the step; of a reviewed draft no approval is pinned. Takes `workflows:edit` too. Refuses:
    workflow-invalid, workflow-archived, review-needed, permission-missing, invalid-input.
    """

    workflow: Word
    input: AnyJson = None
    pins: AnyJson = None


class TryStep(
    Command, type="executor.command.try-step", permission="executions:start", answers=TriedShown
):
    """One step of the draft with given names. What it asks of the world is answered by `mock`,
    done with `effects`, else refused. `effects` takes `workflows:edit` too, and is refused
    (review-needed) where the organization publishes with four eyes."""

    workflow: Word
    step: Word
    input: AnyJson = None
    scope: AnyJson = None
    mock: AnyJson = None
    effects: Flag = False


class ReplayGolden(
    Command,
    type="executor.command.replay-golden",
    permission="executions:start",
    answers=GoldenShown,
):
    """The last ended executions, simulated against the draft with what was recorded.

    Values are told to who may read payloads.
    """

    workflow: Word
    last: LastFew = 20


class GoldenDocument(Query, type="executor.query.golden-document", answers=GoldenShown):
    """What the gate of publishing asks; the document is sealed for the workflow."""

    workflow_id: WorkflowId
    document: SealedJson
    last: LastFew


class CallTried(Event, type="executor.event.call-tried"):
    """A step of a draft that somebody tries has called something outside."""

    workflow_id: WorkflowId
    path: StepPath
    connector: Word
    host: HostName
    attempt: Count
    outcome: Literal["done", "failed"]
    status: Number | None
    duration_ms: Milliseconds


class StepTried(Event, type="executor.event.step-tried", public=True):
    """Somebody let a step of a draft reach outside."""

    workflow_id: WorkflowId
    draft_version: Version
    step: StepPath
