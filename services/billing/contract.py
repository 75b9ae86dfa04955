"""What others may ask of billing, and the facts it records."""

from typing import Literal

from pydantic import Field

from libs.common.errors import Unavailable
from libs.common.fields import Count, Day, Moment, OrganizationId, Word, WorkflowId
from libs.common.lists import Page, PageQuery
from libs.common.messages import Command, Event, Message, Query

SERVICE = "billing"
PlanName = Literal["free", "pro", "enterprise"]
Meter = Literal["executions"]
UsageKey = Literal["day", "workflow", "kind"]
TriggerKind = Literal["webhook", "manual", "schedule", "event", "workflow"]


class AccountOpening(Unavailable):
    """The organization was founded a moment ago; its account comes."""

    code = "unavailable"


# -- events ------------------------------------------------------------------------------------


class AccountOpened(Event, type="billing.event.account-opened"):
    organization_id: OrganizationId
    plan: PlanName


class PlanChanged(Event, type="billing.event.plan-changed", public=True):
    from_plan: PlanName
    to_plan: PlanName
    effective_at: Moment
    reason: Word


class EntitlementsSet(Event, type="billing.event.entitlements-set", public=True):
    """What the organization of this event may use from `valid_from` on.

    A period is a calendar month in UTC; a later one of these events replaces this one.
    """

    executions_per_month: Count
    running_max: Count
    history_days: Count
    features: list[Word]
    valid_from: Moment
    period_ends_at: Moment


class UsageAlarmRaised(Event, type="billing.event.usage-alarm-raised", public=True):
    """Once per period and mark (a change of plan has marks of its own)."""

    meter: Meter
    used: Count
    limit: Count
    percent: Count
    period_ends_at: Moment


class MeterClosed(Message):
    meter: Meter
    used: Count
    limit: Count


class PeriodClosed(Event, type="billing.event.period-closed", public=True):
    """The end of a period; what was used in it is what is billed."""

    period_starts_at: Moment
    period_ends_at: Moment
    meters: list[MeterClosed]


class UsageCounted(Message):
    day: Day
    workflow: WorkflowId
    kind: TriggerKind
    executions: Count


class UsageMetered(Event, type="billing.event.usage-metered"):
    """What was counted of the executor's events since the one before: up to number `upto`, of an
    `incarnation` of its log, in which all of this organization's starts are counted by then."""

    meter: Meter
    rows: list[UsageCounted]
    incarnation: Count
    upto: Count


# -- queries and commands (the answers are what REST shows) --------------------------------------


class Money(Message):
    """In minor units of the currency."""

    amount: Count
    currency: Literal["EUR"]


class Limits(Message):
    executions_per_month: Count
    running_max: Count
    history_days: Count


class PlanShown(Message):
    """One plan; `price` is per month."""

    name: PlanName
    limits: Limits
    features: list[Word]
    price: Money


class FindPlans(PageQuery, type="billing.query.find-plans", answers=Page[PlanShown]):
    """The cheapest first unless `order` says otherwise."""

    order: Literal["desc", "asc"] = "asc"


class Period(Message):
    """From `starts_at` up to, without, `ends_at`."""

    starts_at: Moment
    ends_at: Moment


class Used(Message):
    executions: Count
    percent: Count


class AlarmShown(Message):
    meter: Meter
    percent: Count
    used: Count
    limit: Count
    raised_at: Moment


class AccountShown(Message):
    """`used` and `alarms` are those of `period`."""

    organization: OrganizationId
    plan: PlanName
    period: Period
    limits: Limits
    features: list[Word]
    used: Used
    alarms: list[AlarmShown]


class FindAccount(
    Query, type="billing.query.find-account", permission="usage:read", answers=AccountShown
):
    """Of the caller's organization."""


class PlanChangedShown(Message):
    organization: OrganizationId
    plan: PlanName
    period: Period
    limits: Limits
    features: list[Word]


class ChangePlan(
    Command, type="billing.command.change-plan", permission="instance", answers=PlanChangedShown
):
    """The operator gives an organization another plan, from now on.

    `organization` names another one than the caller's: `instance` is a right over all of them.
    """

    plan: PlanName
    organization: OrganizationId | None = None


class CountedShown(Message):
    incarnation: Count
    upto: Count


class FindCounted(Query, type="billing.query.find-counted", answers=CountedShown):
    """Asked by services: up to which number of the executor's log every start is counted."""


class UsageRow(Message):
    day: Day | None
    workflow: WorkflowId | None
    kind: TriggerKind | None
    executions: Count


class UsageInPeriod(
    PageQuery, type="billing.query.usage-in-period", permission="usage:read", answers=Page[UsageRow]
):
    """Started executions per day (in UTC) of [`from_at`, `to_at`).

    What is not in `by` is summed up and null in the rows.
    """

    by: list[UsageKey] = Field(default=["day", "workflow"], min_length=1, max_length=3)
    from_at: Moment | None = None
    to_at: Moment | None = None
