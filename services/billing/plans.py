"""The plans as data: what each allows in a month, and its price."""

from services.billing.contract import Limits, Money, PlanName, PlanShown


def _plan(
    name: PlanName, executions: int, running: int, history_days: int, cents: int
) -> PlanShown:
    limits = Limits(executions_per_month=executions, running_max=running, history_days=history_days)
    return PlanShown(
        name=name, limits=limits, features=[], price=Money(amount=cents, currency="EUR")
    )


PLANS: dict[PlanName, PlanShown] = {
    plan.name: plan
    for plan in (
        _plan("free", 1_000, 5, 7, 0),
        _plan("pro", 50_000, 50, 14, 29_00),
        _plan("enterprise", 1_000_000, 500, 30, 499_00),
    )
}
FIRST_PLAN: PlanName = "free"
