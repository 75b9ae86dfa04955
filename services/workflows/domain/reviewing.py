"""Four eyes on a draft: a review is asked for, decided by somebody else, and wanted to publish."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.common.errors import ChangedMeanwhile, FieldProblem
from libs.common.messages import Event
from services.workflows.contract import (
    AlreadyDecided,
    CalleeFact,
    NothingToPublish,
    OwnChange,
    PersonNeeded,
    ReviewDecided,
    ReviewDecision,
    ReviewNeeded,
    ReviewRequested,
    ReviewVoid,
    WorkflowInvalid,
)
from services.workflows.domain.state import Review, Workflow


@dataclass(frozen=True, slots=True)
class Covered:
    """What a review names beside the document itself: all that the draft leans on."""

    callees: list[CalleeFact]
    secrets: list[str]
    variables: list[str]


@dataclass(frozen=True, slots=True)
class AskReview:
    """Ask for a review of the draft as it was at `draft_version`."""

    review_id: str
    draft_version: int
    checked_version: int
    covered: Covered | list[FieldProblem]
    note: str | None
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DecideReview:
    """`writers` are the people whose changes are in the draft of `checked_version`."""

    review_id: str
    decision: ReviewDecision
    callees: list[CalleeFact] | None  # as they are published now; None: they can't be called
    comment: str | None
    by: str
    writers: frozenset[str]
    checked_version: int
    at: datetime


def ask(command: AskReview, state: Workflow) -> list[Event]:
    is_current = state.draft_version <= command.draft_version <= state.version
    if not is_current or command.checked_version != state.draft_version:
        raise ChangedMeanwhile(
            f"the draft is at version {state.draft_version} now", current=f'"{state.version}"'
        )
    if state.draft_digest == state.published_digest:
        raise NothingToPublish(f"the draft is what version {state.published} is already")
    covered = command.covered
    if not isinstance(covered, Covered):
        raise WorkflowInvalid(f"{len(covered)} problems in the document", errors=covered)
    return [
        ReviewRequested(
            review_id=command.review_id, workflow_id=state.workflow_id,
            draft_version=state.draft_version, document_digest=state.draft_digest,
            callees=[callee for callee in covered.callees if callee.workflow_version],
            secrets=covered.secrets, variables=covered.variables, note=command.note,
requested_by=command.by, requested_at=command.at,
        )
    ]  # fmt: skip


def decide(command: DecideReview, state: Workflow) -> list[Event]:
    review = state.review
    if review is None or review.review_id != command.review_id:
        raise ReviewVoid("the draft was changed, or another review was asked for")
    if review.decision is not None:
        raise AlreadyDecided(f"it was {review.decision} already")
    if command.checked_version != state.draft_version:
        raise ReviewVoid("the draft was changed")
    if not command.by.startswith("per_"):
        raise PersonNeeded("only a person reviews, no API key")
    if command.by in command.writers:
        raise OwnChange("who wrote a change does not review it")
    if command.decision == "approved" and not same(review.callees, command.callees):
        raise ReviewVoid("a sub-workflow was published anew; ask for another review")
    return [
        ReviewDecided(
            review_id=review.review_id, workflow_id=state.workflow_id,
            decision=command.decision, comment=command.comment, decided_by=command.by,
            decided_at=command.at,
        )
    ]  # fmt: skip


def must_be_approved(state: Workflow, callees: Sequence[CalleeFact]) -> None:
    """Raises ReviewNeeded unless exactly this draft, with these sub-workflows, was approved."""
    review: Review | None = state.review
    if review is None or review.digest != state.draft_digest:
        raise ReviewNeeded("the draft needs a review by somebody else", review=None)
    if review.decision != "approved":
        said = review.decision or "not decided yet"
        raise ReviewNeeded(f"the review of this draft is {said}", review=review.review_id)
    if not same(review.callees, callees):
        raise ReviewNeeded("a sub-workflow was published after the review", review=review.review_id)


def same(reviewed: Sequence[CalleeFact], now: Sequence[CalleeFact] | None) -> bool:
    """Whether the same sub-workflows are called in the same versions; the draft itself is none."""
    return now is not None and _named(reviewed) == _named(now)


def _named(callees: Sequence[CalleeFact]) -> set[tuple[str, int]]:
    return {(c.workflow_id, c.workflow_version) for c in callees if c.workflow_version}
