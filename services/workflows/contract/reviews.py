"""Four eyes: a draft is looked at by somebody else before it is published."""

from typing import Literal

from libs.common.fields import (
    Actor,
    Count,
    Digest,
    Flag,
    FreeText,
    Moment,
    Name,
    ReviewId,
    SealedText,
    Version,
    Word,
    WorkflowId,
)  # fmt: skip
from libs.common.lists import Page, PageQuery
from libs.common.messages import Command, Event, Json, Message, Query, upcast
from libs.common.streams import stream_of
from services.workflows.contract.events import CalleeFact
from services.workflows.contract.gates import GoldenCount

ReviewDecision = Literal["approved", "rejected"]
ReviewStatus = Literal["requested", "approved", "rejected", "void"]


def publishing_stream(organization: str) -> str:
    return stream_of("publishing", organization)


class PublishingPolicySet(
    Event, type="workflows.event.publishing-policy-set", version=2, public=True
):
    """Whether a draft needs an approved review, and how many past executions that go its way."""

    review: Flag
    golden_replay: Count
    set_at: Moment


@upcast("workflows.event.publishing-policy-set", version=1)
def set_before_it_knew_of_golden_replay(data: Json) -> Json:
    return data | {"golden_replay": 0}


class ReviewRequested(Event, type="workflows.event.review-requested", public=True):
    """Of exactly this draft, and of the sub-workflows in these versions. A review before is void.

    The document's digest covers the names of connections, secrets and variables that it uses.
    """

    review_id: ReviewId
    workflow_id: WorkflowId
    draft_version: Version
    document_digest: Digest
    callees: list[CalleeFact]
    secrets: list[Name]
    variables: list[Name]
    note: SealedText | None
    requested_by: Actor
    requested_at: Moment


class ReviewDecided(Event, type="workflows.event.review-decided", public=True):
    review_id: ReviewId
    workflow_id: WorkflowId
    decision: ReviewDecision
    comment: SealedText | None
    decided_by: Actor
    decided_at: Moment


class PublishingPolicyShown(Message):
    """`set_at` is null while nobody has set it."""

    review: Flag
    golden_replay: Count
    set_at: Moment | None


class CalleeShown(Message):
    """A sub-workflow in the version that is meant."""

    name: Name
    workflow: WorkflowId
    version: Version


class ReviewShown(Message):
    """`void`: the draft or a sub-workflow changed, or another review was asked for."""

    id: ReviewId
    workflow: WorkflowId
    workflow_name: Name
    draft_version: Version
    callees: list[CalleeShown]
    secrets: list[Name]
    variables: list[Name]
    status: ReviewStatus
    note: FreeText | None
    requested_by: Actor
    requested_at: Moment
    decided_by: Actor | None
    decided_at: Moment | None
    comment: FreeText | None


class SetPublishingPolicy(
    Command,
    type="workflows.command.set-publishing-policy",
    permission="organizations:manage",
    answers=PublishingPolicyShown,
):
    """What is left out stays as it is. → PublishingPolicyShown."""

    review: Flag | None = None
    golden_replay: GoldenCount | None = None


class FindPublishingPolicy(
    Query,
    type="workflows.query.find-publishing-policy",
    permission="workflows:read",
    answers=PublishingPolicyShown,
):
    """→ PublishingPolicyShown."""


class RequestReview(
    Command,
    type="workflows.command.request-review",
    permission="workflows:edit",
    answers=ReviewShown,
):
    """Of the draft as it was at `draft_version`, which could be published. → ReviewShown."""

    workflow: Word
    draft_version: Version
    note: FreeText | None = None


class DecideReview(
    Command,
    type="workflows.command.decide-review",
    permission="workflows:review",
    answers=ReviewShown,
):
    """By a person who did not write what is in the draft. → ReviewShown."""

    review: ReviewId
    decision: ReviewDecision
    comment: FreeText | None = None


class FindReviews(
    PageQuery,
    type="workflows.query.find-reviews",
    permission="workflows:read",
    answers=Page[ReviewShown],
):
    """→ Page[ReviewShown]."""

    workflow: list[Word] | None = None
    status: list[ReviewStatus] | None = None


class FindReview(
    Query, type="workflows.query.find-review", permission="workflows:read", answers=ReviewShown
):
    """→ ReviewShown."""

    review: ReviewId
