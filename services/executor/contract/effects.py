"""The effect ledger: what an execution changed outside, how often it tried, and what was undone."""

from typing import Literal

from pydantic import Field

from libs.common.fields import Count, ExecutionId, HostName, Milliseconds, Moment, StepPath, Word
from libs.common.lists import Page, PageQuery
from libs.common.messages import Message


class AttemptShown(Message):
    """`outcome` is null while it is under way, or when the process died with it."""

    attempt: Count
    outcome: Literal["done", "failed"] | None
    status: Count | None
    error: Word | None
    began_at: Moment
    ended_at: Moment | None
    duration_ms: Milliseconds | None


class UndoShown(Message):
    """`none`: the step says no undo, or nothing completed that could be undone.

    `error` is what the last attempt failed with, `can-not-be-computed` where it is impossible;
    the texts are in the step's data.
    """

    state: Literal["none", "possible", "undone", "impossible", "failed"]
    connector: Word | None = None
    host: HostName | None = None
    idempotency_key: StepPath | None = None
    error: Word | None = None
    status: Count | None = None
    attempts: list[AttemptShown] = Field(default=[])


class EffectShown(Message):
    """One effect; every attempt was sent with the same key."""

    step: StepPath
    connector: Word
    effect: Word
    host: HostName
    idempotency_key: StepPath
    outcome: Literal["done", "failed"] | None
    attempts: list[AttemptShown]
    undo: UndoShown


class FindEffects(
    PageQuery,
    type="executor.query.find-effects",
    permission="executions:read",
    answers=Page[EffectShown],
):
    """Answers Page[EffectShown], in the order in which they began."""

    execution_id: ExecutionId
    order: Literal["desc", "asc"] = "asc"
