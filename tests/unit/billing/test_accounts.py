"""An account's decisions: opening, plans, alarms, periods."""

from datetime import UTC, datetime

import pytest

from libs.common.decider import given
from libs.common.errors import NotFound
from libs.common.fields import bare_fields
from libs.common.messages import ASKS, EVENTS
from services.billing.contract import (
    AccountOpened,
    EntitlementsSet,
    PeriodClosed,
    PlanChanged,
    UsageAlarmRaised,
)  # fmt: skip
from services.billing.domain import (
    Change,
    Close,
    Measure,
    Open,
    account,
    entitlements,
    month_end,
    period_start,
)  # fmt: skip
from services.billing.plans import PLANS

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
ENDS = datetime(2026, 2, 1, tzinfo=UTC)
OPENED = (AccountOpened(organization_id="org_1", plan="free"), entitlements("free", NOON, ENDS))


def test_an_account_opens_on_the_free_plan_until_the_end_of_the_month() -> None:
    given(account).when(Open("org_1", NOON)).then(*OPENED)


def test_an_open_account_is_not_opened_again() -> None:
    given(account, *OPENED).when(Open("org_1", NOON)).then_nothing()


def test_the_limits_of_an_account_are_those_of_its_plan() -> None:
    made = given(account).when(Open("org_1", NOON)).then_kinds(AccountOpened, EntitlementsSet)
    assert isinstance(made[1], EntitlementsSet)
    limits = PLANS["free"].limits
    assert (made[1].executions_per_month, made[1].running_max, made[1].history_days) == (
        limits.executions_per_month, limits.running_max, limits.history_days,
    )  # fmt: skip


def test_a_new_plan_changes_the_entitlements_within_the_same_period() -> None:
    changed = PlanChanged(from_plan="free", to_plan="pro", effective_at=NOON, reason="operator")
    given(account, *OPENED).when(Change("pro", NOON)).then(changed, entitlements("pro", NOON, ENDS))


def test_the_same_plan_again_changes_nothing() -> None:
    given(account, *OPENED).when(Change("free", NOON)).then_nothing()


def test_a_plan_of_an_organization_without_account_is_not_found() -> None:
    given(account).when(Change("pro", NOON)).then_refused(NotFound)


def alarm(percent: int, used: int, limit: int = 1000) -> UsageAlarmRaised:
    return UsageAlarmRaised(
        meter="executions", used=used, limit=limit, percent=percent, period_ends_at=ENDS
    )


def test_no_alarm_is_raised_below_eighty_percent() -> None:
    given(account, *OPENED).when(Measure(ENDS, 799)).then_nothing()


def test_an_alarm_is_raised_at_eighty_percent() -> None:
    given(account, *OPENED).when(Measure(ENDS, 800)).then(alarm(80, 800))


def test_both_alarms_are_raised_when_both_marks_were_passed_at_once() -> None:
    given(account, *OPENED).when(Measure(ENDS, 1200)).then(alarm(80, 1200), alarm(100, 1200))


def test_a_mark_raises_one_alarm_in_a_period() -> None:
    given(account, *OPENED, alarm(80, 800)).when(Measure(ENDS, 900)).then_nothing()
    given(account, *OPENED, alarm(80, 800)).when(Measure(ENDS, 1000)).then(alarm(100, 1000))


def test_a_larger_plan_has_marks_of_its_own() -> None:
    pro = [
        PlanChanged(from_plan="free", to_plan="pro", effective_at=NOON, reason="operator"),
        entitlements("pro", NOON, ENDS),
    ]
    before = [*OPENED, alarm(80, 900), alarm(100, 1000), *pro]
    given(account, *before).when(Measure(ENDS, 1000)).then_nothing()
    given(account, *before).when(Measure(ENDS, 40_000)).then(alarm(80, 40_000, 50_000))


def test_what_was_measured_in_another_period_raises_nothing() -> None:
    given(account, *OPENED).when(Measure(period_start(ENDS), 5000)).then_nothing()


def test_the_end_of_a_month_closes_the_period_and_begins_the_next_one() -> None:
    made = given(account, *OPENED, alarm(80, 800)).when(Close(ENDS, 850)).then_kinds(
        PeriodClosed, EntitlementsSet
    )  # fmt: skip
    closed, entitled = made
    assert isinstance(closed, PeriodClosed)
    assert isinstance(entitled, EntitlementsSet)
    assert [(m.used, m.limit) for m in closed.meters] == [(850, 1000)]
    assert (closed.period_starts_at, closed.period_ends_at) == (period_start(ENDS), ENDS)
    assert (entitled.valid_from, entitled.period_ends_at) == (ENDS, month_end(ENDS))
    after = [*OPENED, alarm(80, 800), *made]
    given(account, *after).when(Close(ENDS, 850)).then_nothing()
    given(account, *after).when(Measure(month_end(ENDS), 800)).then_kinds(UsageAlarmRaised)


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2028, 2, 29, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
    ],
)
def test_a_period_is_a_calendar_month(at: datetime, ends: datetime) -> None:
    assert month_end(at) == ends
    assert period_start(ends) <= at < ends


def test_every_field_of_the_contract_says_its_data_class() -> None:
    ours = [m for t, m in (ASKS | EVENTS).items() if t.startswith("billing.")]
    assert len(ours) >= 9
    assert [bare for message in ours for bare in bare_fields(message)] == []
