"""Four eyes on a draft, and versions that come back, as sentences."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from libs.common.decider import given
from libs.common.errors import ChangedMeanwhile, FieldProblem, NotFound
from services.workflows.contract import (
    AlreadyDecided,
    CalleeFact,
    DraftSaved,
    NothingToPublish,
    OwnChange,
    PersonNeeded,
    PublishingPolicySet,
    ReviewDecided,
    ReviewNeeded,
    ReviewRequested,
    ReviewVoid,
    WorkflowDrafted,
    WorkflowInvalid,
    WorkflowPublished,
    WorkflowRolledBack,
)
from services.workflows.domain.policy import SetPolicy, policy
from services.workflows.domain.reviewing import AskReview, Covered, DecideReview
from services.workflows.domain.workflow import Facts, Publish, RollBack, Saved, workflow

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WF = "wf_1"
OTHER = CalleeFact(name="other", workflow_id="wf_2", workflow_version=3)
NEWER = OTHER.model_copy(update={"workflow_version": 4})
ITSELF = CalleeFact(name="hello", workflow_id=WF, workflow_version=0)


def drafted(digest: str = "a") -> WorkflowDrafted:
    return WorkflowDrafted(
        workflow_id=WF, name="hello", document="sealed-" + digest, media="yaml",
        document_digest=digest, bytes=10, drafted_at=AT,
    )  # fmt: skip


def saved(digest: str) -> DraftSaved:
    return DraftSaved(
        workflow_id=WF, document="sealed-" + digest, media="yaml", document_digest=digest,
        bytes=10, steps_count=1, saved_at=AT,
    )  # fmt: skip


def facts(*callees: CalleeFact) -> Facts:
    return Facts("sealed-json", 1, 1, [], [], [], ["api"], [], {}, list(callees))


def published(
    version: int, draft: int, digest: str, callees: Sequence[CalleeFact] = ()
) -> WorkflowPublished:
    return WorkflowPublished(
        workflow_id=WF, name="hello", workflow_version=version, draft_version=draft,
        document="sealed-json", media="yaml", document_digest=digest, bytes=10, steps_count=1,
        language=1, triggers=[], connectors=[], hosts=[], secrets=["api"], variables=[],
        labels={}, note=None, published_at=AT, callees=list(callees),
    )  # fmt: skip


def ask(review: str = "rev_1", draft: int = 1, covered: Any = None) -> AskReview:
    what = Covered([OTHER], ["api"], []) if covered is None else covered
    return AskReview(review, draft, draft, what, None, "per_ada", AT)


def requested(review: str = "rev_1", digest: str = "a", draft: int = 1) -> ReviewRequested:
    return ReviewRequested(
        review_id=review, workflow_id=WF, draft_version=draft, document_digest=digest,
        callees=[OTHER], secrets=["api"], variables=[], note=None, requested_by="per_ada",
        requested_at=AT,
    )  # fmt: skip


def approve(by: str = "per_bob", **other: Any) -> DecideReview:
    command = DecideReview(
        "rev_1", "approved", [OTHER], None, by, frozenset({"per_ada"}), 1, AT
    )  # fmt: skip
    return replace(command, **other)


def decided(decision: Any = "approved") -> ReviewDecided:
    return ReviewDecided(
        review_id="rev_1", workflow_id=WF, decision=decision, comment=None, decided_by="per_bob",
        decided_at=AT,
    )  # fmt: skip


def publish(draft: int, *callees: CalleeFact, reviewed: bool = True) -> Publish:
    return Publish(draft, draft, facts(*callees), None, AT, reviewed)


def test_a_review_names_the_draft_and_what_it_leans_on() -> None:
    given(workflow, drafted()).when(ask()).then(requested())


def test_a_review_is_asked_of_the_draft_that_is_there() -> None:
    given(workflow, drafted(), saved("b")).when(ask(draft=1)).then_refused(ChangedMeanwhile)


def test_what_can_not_be_published_is_not_reviewed() -> None:
    problems = [FieldProblem(pointer="", rule="x", detail="y")]
    given(workflow, drafted()).when(ask(covered=problems)).then_refused(WorkflowInvalid)
    history = (drafted(), published(1, 1, "a"))
    given(workflow, *history).when(ask()).then_refused(NothingToPublish)


def test_another_person_approves() -> None:
    given(workflow, drafted(), requested()).when(approve()).then(decided())


def test_who_wrote_the_change_does_not_review_it() -> None:
    for writers in (frozenset({"per_bob"}), frozenset({"per_ada", "per_bob"})):
        own = approve(writers=writers)
        given(workflow, drafted(), requested()).when(own).then_refused(OwnChange)


def test_an_api_key_has_no_eyes() -> None:
    given(workflow, drafted(), requested()).when(approve("key_1")).then_refused(PersonNeeded)


def test_a_review_is_decided_once() -> None:
    for decision in ("approved", "rejected"):
        history = (drafted(), requested(), decided(decision))
        given(workflow, *history).when(approve()).then_refused(AlreadyDecided)


def test_a_review_of_a_draft_that_was_changed_is_void() -> None:
    changed = (drafted(), requested(), saved("b"))
    given(workflow, *changed).when(approve(checked_version=3)).then_refused(ReviewVoid)
    back = (*changed, saved("a"))
    given(workflow, *back).when(approve(checked_version=4)).then_refused(ReviewVoid)


def test_a_review_is_void_when_another_one_was_asked_for() -> None:
    history = (drafted(), requested(), requested("rev_2"))
    given(workflow, *history).when(approve()).then_refused(ReviewVoid)


def test_a_review_is_not_approved_over_a_newer_sub_workflow() -> None:
    for callees in ([NEWER], [], None):
        over = approve(callees=callees)
        given(workflow, drafted(), requested()).when(over).then_refused(ReviewVoid)
    rejected = approve(callees=[NEWER], decision="rejected")
    given(workflow, drafted(), requested()).when(rejected).then(decided("rejected"))


def test_with_four_eyes_a_draft_is_published_only_when_it_was_approved() -> None:
    for history in ((), (requested(),), (requested(), decided("rejected"))):
        refused = given(workflow, drafted(), *history).when(publish(1, OTHER))
        assert refused.then_refused(ReviewNeeded).code == "review-needed"
    history = (drafted(), requested(), decided())
    given(workflow, *history).when(publish(1, OTHER)).then(published(1, 1, "a", [OTHER]))


def test_with_two_eyes_nobody_is_asked() -> None:
    given(workflow, drafted()).when(publish(1, reviewed=False)).then(published(1, 1, "a"))


def test_what_was_approved_is_published_as_it_was_and_no_other() -> None:
    history = (drafted(), requested(), decided())
    given(workflow, *history).when(publish(1, NEWER)).then_refused(ReviewNeeded)
    given(workflow, *history, saved("b")).when(publish(4, OTHER)).then_refused(ReviewNeeded)
    again = (*history, published(1, 1, "a"), saved("b"), saved("a"), saved("c"), saved("a"))
    changed = (*again, published(2, 8, "a"), saved("b"))
    given(workflow, *changed).when(publish(10, OTHER)).then_refused(ReviewNeeded)


def test_a_workflow_that_calls_itself_means_the_version_that_is_made() -> None:
    made = published(1, 1, "a", [ITSELF.model_copy(update={"workflow_version": 1})])
    given(workflow, drafted()).when(publish(1, ITSELF, reviewed=False)).then(made)
    asked = ask(covered=Covered([ITSELF, OTHER], ["api"], []))
    given(workflow, drafted()).when(asked).then(requested())
    history = (drafted(), requested(), decided())
    given(workflow, *history).when(publish(1, ITSELF, OTHER)).then_kinds(WorkflowPublished)


# -- coming back ---------------------------------------------------------------------------------


def back(to: int, digest: str, draft: int = 1, what: Any = None) -> RollBack:
    saved = Saved("sealed-" + digest, "yaml", digest, 10, 1, AT)
    return RollBack(to, draft, saved, facts(OTHER) if what is None else what, None, AT)


def rolled_back(came: int, to: int, version: int) -> WorkflowRolledBack:
    return WorkflowRolledBack(
        workflow_id=WF, from_version=came, to_version=to, workflow_version=version
    )


TWO = (drafted(), published(1, 1, "a"), saved("b"), published(2, 3, "b"))


def test_an_old_version_is_published_again_as_the_next() -> None:
    given(workflow, *TWO).when(back(1, "a")).then(
        rolled_back(2, 1, 3), published(3, 1, "a", [OTHER])
    )


def test_what_is_published_already_is_not_published_again() -> None:
    given(workflow, *TWO).when(back(2, "b", 3)).then_refused(NothingToPublish)
    there = (*TWO, rolled_back(2, 1, 3), published(3, 1, "a"))
    given(workflow, *there).when(back(1, "a")).then_refused(NothingToPublish)


def test_nobody_goes_back_to_what_never_was() -> None:
    given(workflow, *TWO).when(back(3, "c")).then_refused(NotFound)
    given(workflow, drafted()).when(back(1, "a")).then_refused(NotFound)


def test_an_old_version_is_checked_as_it_stands_today() -> None:
    problems = [FieldProblem(pointer="", rule="unknown-secret", detail="gone")]
    given(workflow, *TWO).when(back(1, "a", what=problems)).then_refused(WorkflowInvalid)


def test_the_draft_stays_and_can_be_published_after_going_back() -> None:
    there = (*TWO, rolled_back(2, 1, 3), published(3, 1, "a"))
    given(workflow, *there).when(publish(6, reviewed=False)).then_refused(ChangedMeanwhile)
    draft = replace(publish(6, reviewed=False), checked_version=3)
    given(workflow, *there).when(draft).then(published(4, 3, "b"))


def test_a_review_of_the_draft_outlives_going_back() -> None:
    history = (*TWO, saved("c"), requested(digest="c", draft=5), decided())
    there = (*history, rolled_back(2, 1, 3), published(3, 1, "a"))
    draft = replace(publish(9, OTHER), checked_version=5)
    given(workflow, *there).when(draft).then(published(4, 5, "c", [OTHER]))


# -- the organization's wish ----------------------------------------------------------------------


def test_four_eyes_are_switched_on_and_off_once() -> None:
    on, off = (
        PublishingPolicySet(review=review, golden_replay=0, set_at=AT) for review in (True, False)
    )
    given(policy).when(SetPolicy(True, None, AT)).then(on)
    given(policy, on).when(SetPolicy(True, None, AT)).then_nothing()
    given(policy, on).when(SetPolicy(False, None, AT)).then(off)


def test_what_a_policy_does_not_say_stays_as_it_is() -> None:
    both = PublishingPolicySet(review=True, golden_replay=5, set_at=AT)
    on = PublishingPolicySet(review=True, golden_replay=0, set_at=AT)
    given(policy, on).when(SetPolicy(None, 5, AT)).then(both)
    given(policy, both).when(SetPolicy(None, 5, AT)).then_nothing()
