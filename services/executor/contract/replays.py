"""Executions replayed from a step, moved to another version, compared."""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.fields import (
    AnyJson,
    Count,
    ExecutionId,
    Flag,
    Milliseconds,
    StepPath,
    Version,
)
from libs.common.messages import Command, Event, Message, Query
from services.executor.contract.asks import ExecutionShown
from services.executor.contract.controls import ExecutionFilter, OperationOrCount
from services.executor.contract.events import Outcome

LastFew = Annotated[Count, Field(ge=1, le=50)]


class StepCompared(Message):
    """Null where the step has no result on that side."""

    step: StepPath
    same: Flag
    duration_ms: Milliseconds | None
    other_duration_ms: Milliseconds | None
    result: AnyJson = None
    other_result: AnyJson = None


class ComparedShown(Message):
    """Steps that differ: that ran in one only, or gave something else; the first 500 of them.

    Results beyond a million bytes together are left out: see the executions' own data.
    """

    execution: ExecutionId
    other: ExecutionId
    same: Flag
    version: Version
    other_version: Version
    outcome: Outcome | None
    other_outcome: Outcome | None
    duration_ms: Milliseconds | None
    other_duration_ms: Milliseconds | None
    steps: list[StepCompared]
    same_steps: Count
    differing_steps: Count


class ReplayExecution(
    Command,
    type="executor.command.replay-execution",
    permission="executions:control",
    answers=ExecutionShown,
):
    """A new execution that begins at a step of another one, with the results recorded before it.

    `from_step` is an id or one item's (`post[3]`), null: from the start. `version` is `same`,
    `newest` or a number; `input` another input, null: the same. Refuses: unknown-step,
    not-compatible (`errors` say why), invalid-input.
    """

    execution_id: ExecutionId
    from_step: StepPath | None = None
    version: Literal["same", "newest"] | Version = "same"
    input: AnyJson = None


class ReplayExecutions(
    Command,
    type="executor.command.replay-executions",
    permission="executions:control",
    answers=OperationOrCount,
):
    """Each of a filter, as ReplayExecution does one; with `dry_run` it only counts."""

    filter: ExecutionFilter
    dry_run: Flag = False
    from_step: StepPath | None = None
    version: Literal["same", "newest"] | Version = "same"


class MigrateExecution(
    Command,
    type="executor.command.migrate-execution",
    permission="executions:control",
    answers=ExecutionShown,
):
    """A waiting or paused execution goes on with another version.

    Refuses: not-compatible (`errors` say why), execution-running, execution-ended.
    """

    execution_id: ExecutionId
    version: Version


class CompareExecutions(
    Query,
    type="executor.query.compare-executions",
    permission="executions:read",
    answers=ComparedShown,
):
    """Two executions, step by step. Values are told to who may read payloads."""

    execution_id: ExecutionId
    other: ExecutionId


class ExecutionReplayed(Event, type="executor.event.execution-replayed", public=True):
    """Somebody replayed this execution as another one."""

    replay_id: ExecutionId
    from_step: StepPath | None
    workflow_version: Version


class ExecutionMigrated(Event, type="executor.event.execution-migrated", public=True):
    """From here on it runs by another version."""

    from_version: Version
    workflow_version: Version
