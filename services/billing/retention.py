"""What billing keeps, and for how long."""

from libs.common.retention import Retention

RULES = (
    Retention("account", None, "plan, periods and alarms of an organization, in its stream"),
    Retention("usage", None, "started executions per day, workflow and kind: what was billed"),
)
