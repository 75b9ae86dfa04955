"""What counts of what people say to an approval: each agrees to the input as it was then."""

from typing import Any

import pytest

from libs.common.decider import given
from libs.common.messages import Event
from services.executor.contract import (
    AlreadyDecided,
    ApprovalChanged,
    ApprovalClosed,
    ApprovalDecided,
    ApprovalRequested,
    ExecutionStarted,
)
from services.executor.deciding import Approval, Decide, agreeing
from services.executor.domain import execution
from tools.examples import example

STARTED = ExecutionStarted.model_validate(example(ExecutionStarted))
ASKED = ApprovalRequested.model_validate(
    example(ApprovalRequested) | {"quorum": 2, "not_the_starter": False, "due_at": None}
)


def said(person: str, changed: str | None = None, decision: str = "approved") -> ApprovalDecided:
    return ApprovalDecided.model_validate({
        "approval_id": ASKED.approval_id, "path": ASKED.path, "person_id": person,
        "decision": decision, "comment": None, "input": changed,
    })  # fmt: skip


def by(person: str, about: int | None = None, changed: str | None = None) -> Decide:
    return Decide(
        ASKED.approval_id, person, True, "per_starter", "approved", None, changed,
        ASKED.asked_at, about,
    )  # fmt: skip


def after(*events: Event) -> Any:
    return given(execution, STARTED, ASKED, *events)


def test_enough_approvals_of_what_was_asked_decide_it() -> None:
    assert Approval(ASKED, [said("per_a"), said("per_b")]).approved
    assert not Approval(ASKED, [said("per_a")]).closed


def test_who_changes_the_input_is_the_first_to_approve_it() -> None:
    after().when(by("per_a", changed="a2")).then(said("per_a", "a2"))
    assert Approval(ASKED, [said("per_a", "a2"), said("per_b")]).approved


def test_nobody_has_agreed_to_what_was_changed_afterwards() -> None:
    decisions = [said("per_a"), said("per_b", "b2")]

    assert not Approval(ASKED, decisions).closed
    assert [one.person_id for one in agreeing(decisions)] == ["per_b"]


def test_who_approved_before_a_change_may_approve_what_it_is_now() -> None:
    now = after(said("per_a"), said("per_b", "b2"))

    now.when(by("per_a", about=1)).then(said("per_a"))
    now.when(by("per_b", about=1)).then_refused(AlreadyDecided)


@pytest.mark.parametrize(("about", "changes"), [(0, 1), (2, 1), (1, 2), (1, 0)])
def test_a_decision_about_another_version_of_the_input_is_refused(about: int, changes: int) -> None:
    said_before = [said(f"per_{n}", f"v{n}") for n in range(changes)]

    after(*said_before).when(by("per_x", about=about)).then_refused(ApprovalChanged)
    after(*said_before).when(by("per_x", about=changes)).then(said("per_x"))


def test_a_decision_that_names_no_version_is_about_what_is_there() -> None:
    after(said("per_a", "a2")).when(by("per_b")).then(said("per_b"))


def test_one_rejection_ends_it_also_after_a_change() -> None:
    rejected = said("per_c", decision="rejected")

    assert Approval(ASKED, [said("per_a", "a2"), rejected, said("per_b")]).rejected
    assert not Approval(ASKED, [said("per_a", "a2"), rejected, said("per_b")]).approved
    after(rejected).when(by("per_a")).then_refused(ApprovalClosed)
