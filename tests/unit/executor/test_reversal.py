"""What follows an end: the parent's rollback alone, once; and what a cancelled wait closes."""

from typing import Any

import pytest

from libs.common.decider import given
from libs.common.errors import NotFound
from libs.common.messages import Event
from services.executor.contract import (
    ApprovalClosed,
    ApprovalRequested,
    EffectBegan,
    EffectEnded,
    ExecutionEnded,
    ExecutionFinished,
    ExecutionStarted,
    ReversalBegan,
    ReversalEnded,
    UndoEnded,
    WaitBegan,
    WaitEnded,
)  # fmt: skip
from services.executor.domain import Cancel, Decide, Ended, Going, Pause, Reverse, execution
from tools.examples import example

PARENT, CHILD = "exe_parent", "exe_child"


def made(of: type[Event], **more: Any) -> Any:
    return of.model_validate(example(of)).model_copy(update=more)


STARTED, FINISHED = made(ExecutionStarted), made(ExecutionFinished, outcome="succeeded")
DONE = (
    made(EffectBegan, path="post"),
    made(EffectEnded, path="post", outcome="done", error=None, retry_at=None),
)
UNDONE = made(UndoEnded, path="post", outcome="done", retry_at=None)
BEGAN = ReversalBegan(parent_id=PARENT)
OVER = ReversalEnded(rollback="done")


def test_an_ended_one_with_something_to_undo_is_reversed_once() -> None:
    given(execution, STARTED, *DONE, FINISHED).when(Reverse(PARENT)).then(BEGAN)
    given(execution, STARTED, *DONE, FINISHED, BEGAN).when(Reverse(PARENT)).then_nothing()
    reversed_ = (STARTED, *DONE, FINISHED, BEGAN, UNDONE, OVER)
    given(execution, *reversed_).when(Reverse(PARENT)).then_nothing()


def test_nothing_is_reversed_where_nothing_is_left_or_nothing_has_ended() -> None:
    given(execution, STARTED, FINISHED).when(Reverse(PARENT)).then_nothing()
    given(execution, STARTED, *DONE, UNDONE, FINISHED).when(Reverse(PARENT)).then_nothing()
    given(execution, STARTED, *DONE).when(Reverse(PARENT)).then_nothing()
    given(execution).when(Reverse(PARENT)).then_refused(NotFound)


def test_what_is_reversed_has_ended_for_everybody_else() -> None:
    at_work = (STARTED, *DONE, FINISHED, BEGAN)
    given(execution, *at_work).when(Cancel(rollback=True, reason=None)).then_nothing()
    given(execution, *at_work).when(Pause(None)).then_refused(ExecutionEnded)
    assert isinstance(execution.fold(list(at_work)), Going)
    state = execution.fold([*at_work, UNDONE, OVER])
    assert isinstance(state, Ended)
    assert state.finished.outcome == "succeeded"


def test_nothing_else_follows_a_reversal() -> None:
    with pytest.raises(ValueError, match="can't follow"):
        execution.fold([STARTED, *DONE, FINISHED, BEGAN, UNDONE, OVER, made(WaitBegan)])


@pytest.mark.parametrize("reason", ["ended", "cancelled"])
def test_a_child_that_was_waited_for_stands_in_the_rollback_where_it_ended(reason: str) -> None:
    waits = made(WaitBegan, path="below", kind="workflow", execution_id=CHILD)
    state = execution.fold([STARTED, waits, *DONE, WaitEnded.model_validate(
        {"path": "below", "reason": reason})])  # fmt: skip

    assert isinstance(state, Going)
    assert [(path, one.child) for path, one in state.undos.items()] == [
        ("post", None), ("below", CHILD),
    ]  # fmt: skip


def test_an_approval_of_a_cancelled_branch_is_closed() -> None:
    asked = made(ApprovalRequested, path="ok", due_at=None, not_the_starter=False)
    waits = made(WaitBegan, path="ok", kind="approval", due_at=None, execution_id=None)
    late = Decide(asked.approval_id, "per_a", True, "per_s", "approved", None, None, asked.asked_at)
    closed = WaitEnded(path="ok", reason="cancelled")

    given(execution, STARTED, asked, waits, closed).when(late).then_refused(ApprovalClosed)
