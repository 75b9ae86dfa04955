"""What billing keeps, and for how long."""

from libs.common.purposes import Basis, Purpose
from libs.common.retention import Retention

RULES = (
    Retention(
        "account", None, "plan, periods and alarms of an organization, in its stream",
        Purpose.BILLING, Basis.CONTRACT, tables=("accounts", "alarms"),
        events=("account-opened", "entitlements-set", "plan-changed", "usage-alarm-raised"),
    ),
    Retention(
        "usage", None,
        "started executions per day, workflow and kind, what was billed, and the facts in the"
        " log that say so: as many whole calendar years as the law of a country says"
        " (`TROTH_BILLING_JURISDICTION`)",
        Purpose.BILLING, Basis.LEGAL_OBLIGATION, tables=("usage", "used", "counting", "counted"),
        by="its sweep, with the years of `services/billing/jurisdictions.json`",
        events=("period-closed", "usage-metered"),
    ),
)  # fmt: skip
