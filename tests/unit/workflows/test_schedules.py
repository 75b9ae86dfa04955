"""Which instants of a schedule are due, and what is decided about them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.common.decider import given
from services.workflows.contract import Missed, ScheduleTicked
from services.workflows.domain.schedules import Due, Tick, due, schedules

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GRACE = timedelta(seconds=60)
ALL_KINDS: tuple[Missed, ...] = ("skip", "run-once", "run-all")


def minutely(first: datetime, now: datetime, until: datetime | None = None) -> Due:
    return due("* * * * *", "UTC", first, until or now, now, GRACE)


def tick(what: Due, missed: Missed = "skip", schedule: str = "0", version: int = 1) -> Tick:
    return Tick("wf_1", schedule, version, missed, what)


def ticked(at: datetime, decision: Any = "start", missed: int = 0, **other: Any) -> ScheduleTicked:
    made = {"workflow_id": "wf_1", "schedule": "0", "workflow_version": 1} | other
    return ScheduleTicked(due_at=at, decision=decision, missed_count=missed, **made)


def test_nothing_is_due_before_its_time() -> None:
    assert minutely(NINE, NINE - timedelta(milliseconds=1)) == Due()


def test_an_instant_is_due_at_its_very_time() -> None:
    assert minutely(NINE, NINE) == Due(in_time=(NINE,))


def test_an_instant_is_late_when_the_grace_is_over() -> None:
    now = NINE + GRACE + timedelta(milliseconds=1)
    assert minutely(NINE, now) == Due(late=(NINE,), in_time=(NINE + MINUTE,))


def test_what_a_version_owes_ends_where_the_next_one_begins() -> None:
    found = minutely(NINE, NINE + 3 * MINUTE, until=NINE + MINUTE)
    assert found.late == (NINE, NINE + MINUTE)
    assert found.in_time == ()


def test_of_very_many_only_the_last_thousand_are_decided_singly() -> None:
    found = minutely(NINE, NINE + 1500 * MINUTE)
    assert len(found.late) == 1000
    assert found.passed_over == 499
    assert found.last_passed == NINE + 498 * MINUTE
    assert found.late[0] == NINE + 499 * MINUTE
    assert found.in_time == (NINE + 1499 * MINUTE, NINE + 1500 * MINUTE)


def test_a_backlog_without_end_is_looked_at_in_parts() -> None:
    found = minutely(NINE, NINE + 11_000 * MINUTE)
    assert found == Due(passed_over=10_000, last_passed=NINE + 9_999 * MINUTE)
    rest = minutely(NINE + 10_000 * MINUTE, NINE + 11_000 * MINUTE)
    assert (len(rest.late), rest.passed_over, len(rest.in_time)) == (999, 0, 2)


def test_a_backlog_of_exactly_what_is_looked_at_is_not_passed_over() -> None:
    found = minutely(NINE, NINE + 10_001 * MINUTE)
    assert (len(found.late), found.passed_over, len(found.in_time)) == (1000, 9_000, 2)


@pytest.mark.parametrize("missed", ALL_KINDS)
def test_an_instant_in_time_starts_whatever_the_policy(missed: Missed) -> None:
    given(schedules).when(tick(minutely(NINE, NINE), missed)).then(ticked(NINE))


@pytest.mark.parametrize("missed", ALL_KINDS)
def test_an_instant_is_decided_once_however_often_and_in_whatever_version(missed: Missed) -> None:
    for version in (1, 2):
        again = tick(minutely(NINE, NINE), missed, version=version)
        given(schedules, ticked(NINE)).when(again).then_nothing()


def test_schedules_of_one_workflow_do_not_know_each_other() -> None:
    other = tick(minutely(NINE, NINE), schedule="nightly")
    given(schedules, ticked(NINE)).when(other).then(ticked(NINE, schedule="nightly"))


LATE = minutely(NINE, NINE + timedelta(minutes=3, seconds=30))


def test_missed_instants_are_skipped_and_counted() -> None:
    given(schedules).when(tick(LATE, "skip")).then(
        ticked(NINE + 2 * MINUTE, "skip", 3), ticked(NINE + 3 * MINUTE)
    )


def test_one_start_stands_for_all_missed_instants() -> None:
    given(schedules).when(tick(LATE, "run-once")).then(
        ticked(NINE + 2 * MINUTE, "start", 3), ticked(NINE + 3 * MINUTE)
    )


def test_each_missed_instant_starts() -> None:
    given(schedules).when(tick(LATE, "run-all")).then(
        ticked(NINE, "start", 1), ticked(NINE + MINUTE, "start", 1),
        ticked(NINE + 2 * MINUTE, "start", 1), ticked(NINE + 3 * MINUTE),
    )  # fmt: skip


def test_of_what_was_decided_in_part_the_rest_is_decided() -> None:
    given(schedules, ticked(NINE + MINUTE)).when(tick(LATE, "run-all")).then(
        ticked(NINE + 2 * MINUTE, "start", 1), ticked(NINE + 3 * MINUTE)
    )


def test_what_is_too_much_for_run_all_is_recorded_as_skipped() -> None:
    many = minutely(NINE, NINE + 1500 * MINUTE)
    made = given(schedules).when(tick(many, "run-all")).then_kinds(*[ScheduleTicked] * 1003)
    assert made[0] == ticked(NINE + 498 * MINUTE, "skip", 499)
    assert made[1] == ticked(NINE + 499 * MINUTE, "start", 1)
    given(schedules, *made).when(tick(many, "run-all")).then_nothing()


def test_one_start_stands_for_a_backlog_without_end_too() -> None:
    first = minutely(NINE, NINE + 11_000 * MINUTE)
    made = given(schedules).when(tick(first, "run-once")).then_kinds(ScheduleTicked)
    assert made == [ticked(NINE + 9_999 * MINUTE, "skip", 10_000)]
    rest = minutely(NINE + 10_000 * MINUTE, NINE + 11_000 * MINUTE)
    made += given(schedules, *made).when(tick(rest, "run-once")).then_kinds(*[ScheduleTicked] * 3)
    late = [each for each in made if isinstance(each, ScheduleTicked) and each.missed_count]
    assert [each.decision for each in late] == ["skip", "start"]
    assert sum(each.missed_count for each in late) == 10_999


@pytest.mark.parametrize(("missed", "decision"), [("skip", "skip"), ("run-once", "start")])
def test_all_that_was_missed_is_in_one_decision(missed: Missed, decision: str) -> None:
    many = minutely(NINE, NINE + 1500 * MINUTE)
    made = given(schedules).when(tick(many, missed)).then_kinds(*[ScheduleTicked] * 3)
    assert made[0] == ticked(NINE + 1498 * MINUTE, decision, 1499)
