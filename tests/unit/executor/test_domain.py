"""Decisions of an execution, its retries, and what secrets leave behind."""

from typing import Any

import pytest

from libs.common.decider import given
from libs.common.errors import NotFound
from libs.common.messages import Event
from libs.language.steps import Retry
from services.executor.contract import (
    CancelRequested,
    EffectBegan,
    ExecutionFinished,
    ExecutionStarted,
    WaitBegan,
)  # fmt: skip
from services.executor.domain import Cancel, Going, execution
from services.executor.failure import StepFailed, retry_plan
from services.executor.masking import masked
from tools.examples import example


def made(kind: type[Event]) -> Any:
    return kind.model_validate(example(kind))


STARTED = made(ExecutionStarted)
FINISHED = made(ExecutionFinished)
CANCEL = Cancel(rollback=False, reason=None)


def test_a_cancel_of_a_going_execution_is_recorded_once() -> None:
    wish = CancelRequested(rollback=False, reason=None)

    given(execution, STARTED).when(CANCEL).then(wish)
    given(execution, STARTED, wish).when(CANCEL).then_nothing()


def test_a_cancel_of_an_ended_execution_changes_nothing() -> None:
    given(execution, STARTED, FINISHED).when(CANCEL).then_nothing()


def test_what_never_started_is_not_found() -> None:
    given(execution).when(CANCEL).then_refused(NotFound)


def test_nothing_follows_the_end() -> None:
    with pytest.raises(ValueError, match="can't follow"):
        execution.fold([STARTED, FINISHED, made(WaitBegan)])


def test_an_effect_without_an_end_was_interrupted() -> None:
    began = made(EffectBegan)
    state = execution.fold([STARTED, began])

    assert isinstance(state, Going)
    assert state.effects[began.path].ended is None


def failure(kind: str, status: int | None = None) -> StepFailed:
    return StepFailed(kind, "", status=status)


def test_reads_are_repeated_three_times_and_writes_not_at_all_by_default() -> None:
    assert retry_plan(None, repeatable=True).attempts == 3
    assert retry_plan(None, repeatable=False).attempts == 1


def test_a_client_error_is_repeated_only_when_it_is_named() -> None:
    default = retry_plan(None, repeatable=True)
    named = retry_plan(Retry(attempts=3, on=(404, "5xx")), repeatable=False)

    assert not default.again(failure("client-error", 404), 1)
    assert named.again(failure("client-error", 404), 1)
    assert named.again(failure("server-error", 503), 2)
    assert not named.again(failure("server-error", 503), 3)
    assert not named.again(failure("timeout"), 1)


def test_pauses_double_up_to_their_limit_and_jitter_down_to_nothing() -> None:
    plan = retry_plan(Retry(attempts=9, initial_s=1.0, max_s=5.0), repeatable=True)

    assert [plan.pause_s(n, 1.0) for n in (1, 2, 3, 4)] == [1.0, 2.0, 4.0, 5.0]
    assert plan.pause_s(4, 0.0) == 0.0
    fixed = retry_plan(Retry(backoff="fixed", initial_s=2.0, max_s=60.0), repeatable=True)
    assert fixed.pause_s(5, 1.0) == 2.0


@pytest.mark.parametrize("form", [
    "s3cret/key", "czNjcmV0L2tleQ==", "czNjcmV0L2tleQ", "s3cret%2Fkey", "yek/terc3s",
    "7333637265742f6b6579",
])  # fmt: skip
def test_no_form_of_a_secret_comes_back(form: str) -> None:
    value = {"text": f"you sent {form}!", form: [form], "n": 1}

    shown = masked(value, ["s3cret/key"])

    assert form not in str(shown)
    assert shown["n"] == 1


def test_without_secrets_nothing_is_copied() -> None:
    value = {"a": 1}
    assert masked(value, []) is value
