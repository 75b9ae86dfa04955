"""Approvals as people see and decide them."""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.fields import (
    Actor,
    AnyJson,
    ApprovalId,
    Count,
    ExecutionId,
    Flag,
    FreeText,
    Moment,
    StepPath,
    Version,
    Word,
    WorkflowId,
)
from libs.common.lists import Page, PageQuery
from libs.common.messages import Command, Message, Query

ApprovalStatus = Literal["pending", "approved", "rejected", "timed-out", "cancelled"]


class DecisionShown(Message):
    """`changed`: with another input, and whoever approved before has not approved that one."""

    by: Actor
    decision: Literal["approved", "rejected"]
    changed: Flag
    at: Moment


class ApprovalShown(Message):
    """`decisions_count` of `quorum` approve the input as it is now; `input_version` is how often
    it was changed since people were asked. `named`: the caller is among those asked.
    """

    id: ApprovalId
    execution: ExecutionId
    workflow: WorkflowId
    version: Version
    step: StepPath
    status: ApprovalStatus
    by: list[Word]
    quorum: Count
    decisions_count: Count
    decisions: list[DecisionShown]
    named: Flag
    editable: Flag
    not_the_starter: Flag
    message: FreeText | None
    input: AnyJson
    input_version: Count
    requested_at: Moment
    due_at: Moment | None
    ended_at: Moment | None


class FindApprovals(
    PageQuery,
    type="executor.query.find-approvals",
    permission="approvals:decide",
    answers=Page[ApprovalShown],
):
    """Those that name the caller or their role; answers Page[ApprovalShown]."""

    status: list[ApprovalStatus] | None = None
    workflow: list[WorkflowId] | None = None


class FindApproval(
    Query, type="executor.query.find-approval", permission="approvals:decide", answers=ApprovalShown
):
    """Answers ApprovalShown; `message` and `input` are null for who is not named in it."""

    approval_id: ApprovalId


class DecideApproval(
    Command,
    type="executor.command.decide-approval",
    permission="approvals:decide",
    answers=ApprovalShown,
):
    """One person's decision; `input` replaces what is approved and must fit the step's schema.

    Whoever changes the input approves it first, and those before have to agree anew. With
    `input_version` the decision is about that version only, and refused when there is a newer one.
    Answers ApprovalShown. Refuses: already-decided, approval-closed, approval-changed,
    person-needed, permission-missing (not named in it, or the starter), invalid-input.
    """

    approval_id: ApprovalId
    decision: Literal["approved", "rejected"]
    comment: Annotated[FreeText | None, Field(max_length=2000)] = None
    input: AnyJson = None
    input_version: Count | None = None
