"""What the executor keeps, and how long."""

from libs.common.retention import Retention

RULES = (
    Retention("executions", None, "log and views, until the retention of plans is enforced"),
    Retention("commands", 1, "ids of commands and their sealed answers"),
)
