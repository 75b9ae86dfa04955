"""Given/when/then says what a decider did, and fails when it did something else."""

import pytest
from tests_support.ledger import DECIDER, Note, Noted, TooHigh

from libs.common.decider import given
from libs.common.errors import Conflict, NotFound


def test_a_fold_begins_at_the_initial_state_or_at_a_given_one() -> None:
    events = [Noted(amount=2), Noted(amount=3)]
    assert DECIDER.fold(events) == 5
    assert DECIDER.fold(events, 10) == 15
    assert DECIDER.fold([], 0) == 0


def test_what_was_decided_is_compared() -> None:
    given(DECIDER, Noted(amount=1)).when(Note(amount=2)).then(Noted(amount=2))
    assert given(DECIDER).when(Note(amount=2)).then_kinds(Noted) == [Noted(amount=2)]
    given(DECIDER).when(Note(amount=0)).then_nothing()


def test_a_refusal_is_compared_by_its_kind() -> None:
    decided = given(DECIDER).when(Note(amount=5000))
    assert decided.then_refused(Conflict).code == "too-high"
    decided.then_refused(TooHigh)


def test_every_then_fails_when_something_else_was_decided() -> None:
    good, none = given(DECIDER).when(Note(amount=2)), given(DECIDER).when(Note(amount=0))
    refused = given(DECIDER).when(Note(amount=5000))
    for wrong in (
        lambda: good.then(Noted(amount=3)), lambda: good.then(), lambda: good.then_nothing(),
        lambda: good.then_kinds(), lambda: good.then_refused(Conflict),
        lambda: none.then(Noted(amount=0)), lambda: refused.then(), lambda: refused.then_nothing(),
        lambda: refused.then_kinds(), lambda: refused.then_refused(NotFound),
    ):  # fmt: skip
        with pytest.raises(AssertionError):
            wrong()
