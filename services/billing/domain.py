"""An account of an organization: plan, period, alarms. Pure; times and counts come in."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import assert_never

from libs.common.decider import Decider
from libs.common.errors import NotFound
from services.billing.contract import (
    AccountOpened,
    EntitlementsSet,
    MeterClosed,
    PeriodClosed,
    PlanChanged,
    PlanName,
    UsageAlarmRaised,
)  # fmt: skip
from services.billing.plans import FIRST_PLAN, PLANS

MARKS = (80, 100)
BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)
Made = AccountOpened | EntitlementsSet | PlanChanged | UsageAlarmRaised | PeriodClosed


@dataclass(frozen=True, slots=True)
class Absent:
    """No account was opened."""


@dataclass(frozen=True, slots=True)
class Account:
    """`mark` is the highest alarm raised in this period under this plan."""

    plan: PlanName
    executions_per_month: int = 0
    running_max: int = 0
    history_days: int = 0
    features: tuple[str, ...] = ()
    period_ends_at: datetime = BEFORE_ALL
    mark: int = 0


State = Absent | Account


@dataclass(frozen=True, slots=True)
class Open:
    organization: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    plan: PlanName
    at: datetime


@dataclass(frozen=True, slots=True)
class Measure:
    """So much was used in the period that ends then; raises the alarms that are due."""

    period_ends_at: datetime
    used: int


@dataclass(frozen=True, slots=True)
class Close:
    """The period that ends then is over, and so much was used in it."""

    period_ends_at: datetime
    used: int


Ask = Open | Change | Measure | Close


def account_stream(organization: str) -> str:
    return f"account-{organization}"


def usage_stream(organization: str, year: str) -> str:
    """One for each calendar year, so that a year leaves the log whole."""
    return f"usage-{organization}-{year}"


def month_of(at: datetime) -> str:
    """The month of a moment in UTC, as `2026-01`."""
    return f"{at.astimezone(UTC):%Y-%m}"


def day_of(at: datetime) -> str:
    """The day of a moment in UTC, as `2026-01-31`."""
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def month_start(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_end(at: datetime) -> datetime:
    """The first moment of the month after."""
    start = month_start(at)
    if start.month == 12:
        return start.replace(year=start.year + 1, month=1)
    return start.replace(month=start.month + 1)


def period_start(period_ends_at: datetime) -> datetime:
    """The first moment of the month that ends then."""
    ends = period_ends_at.astimezone(UTC)
    if ends.month == 1:
        return ends.replace(year=ends.year - 1, month=12)
    return ends.replace(month=ends.month - 1)


def decide(ask: Ask, state: State) -> list[Made]:
    match ask, state:
        case Open(), Absent():
            opened = AccountOpened(organization_id=ask.organization, plan=FIRST_PLAN)
            return [opened, entitlements(FIRST_PLAN, ask.at, month_end(ask.at))]
        case Open(), Account():
            return []
        case Change(), Account():
            return _change(ask, state)
        case Change(), Absent():
            raise NotFound
        case Measure(), Account() if ask.period_ends_at == state.period_ends_at:
            return _alarms(ask, state)
        case Close(), Account() if ask.period_ends_at == state.period_ends_at:
            return _close(ask, state)
        case ((Measure() | Close()), _):
            return []
        case _:
            assert_never(ask)


def entitlements(plan: PlanName, valid_from: datetime, period_ends_at: datetime) -> EntitlementsSet:
    shown = PLANS[plan]
    return EntitlementsSet(
        executions_per_month=shown.limits.executions_per_month,
        running_max=shown.limits.running_max, history_days=shown.limits.history_days,
        features=shown.features, valid_from=valid_from, period_ends_at=period_ends_at,
    )  # fmt: skip


def _change(ask: Change, account: Account) -> list[Made]:
    if ask.plan == account.plan:
        return []
    changed = PlanChanged(
        from_plan=account.plan, to_plan=ask.plan, effective_at=ask.at, reason="operator"
    )
    return [changed, entitlements(ask.plan, ask.at, account.period_ends_at)]


def _alarms(ask: Measure, account: Account) -> list[Made]:
    limit = account.executions_per_month
    return [
        UsageAlarmRaised(
            meter="executions", used=ask.used, limit=limit, percent=mark,
            period_ends_at=account.period_ends_at,
        )
        for mark in MARKS
        if mark > account.mark and ask.used * 100 >= limit * mark
    ]  # fmt: skip


def _close(ask: Close, account: Account) -> list[Made]:
    ends, limit = account.period_ends_at, account.executions_per_month
    closed = PeriodClosed(
        period_starts_at=period_start(ends), period_ends_at=ends,
        meters=[MeterClosed(meter="executions", used=ask.used, limit=limit)],
    )  # fmt: skip
    return [closed, entitlements(account.plan, ends, month_end(ends))]


def evolve(state: State, event: Made) -> State:
    match event, state:
        case AccountOpened(), _:
            return Account(plan=event.plan)
        case _, Absent():
            return state
        case EntitlementsSet(), Account():
            return replace(
                state, executions_per_month=event.executions_per_month,
                running_max=event.running_max, history_days=event.history_days,
                features=tuple(event.features), period_ends_at=event.period_ends_at,
            )  # fmt: skip
        case PlanChanged(), Account():
            return replace(state, plan=event.to_plan, mark=0)
        case UsageAlarmRaised(), Account():
            return replace(state, mark=max(state.mark, event.percent))
        case PeriodClosed(), Account():
            return replace(state, mark=0)
        case _:
            assert_never(event)


account: Decider[Ask, State] = Decider(Absent(), decide, evolve)
