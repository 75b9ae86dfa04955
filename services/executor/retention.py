"""What the executor keeps, and how long."""

from libs.common.retention import Retention
from services.executor import operations
from services.executor.arrivals import KEEP_DAYS

RULES = (
    Retention("executions", None, "log and views, until the retention of plans is enforced"),
    Retention("arrivals", KEEP_DAYS, "public events for triggers and waits, 10,000 of a type"),
    Retention("operations", operations.KEEP_DAYS, "long work and what became of each piece"),
    Retention("commands", 1, "ids of commands and their sealed answers"),
)
