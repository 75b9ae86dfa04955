"""What the executor keeps, and how long."""

from libs.common.retention import Retention
from services.executor import file_collector, forgetting, operations
from services.executor.arrivals import KEEP_DAYS

RULES = (
    Retention("executions", None, "log and views, until the retention of plans is enforced"),
    Retention("arrivals", KEEP_DAYS, "public events for triggers and waits, 10,000 of a type"),
    Retention("operations", operations.KEEP_DAYS, "long work and what became of each piece"),
    Retention(
        "forgotten",
        forgetting.AFTER_DAYS + 1,
        "ended executions that somebody deleted: they"
        " are not shown from then on, and leave the log when the trail has their numbers",
    ),
    Retention(
        "files", file_collector.KEEP_DAYS, "what no execution refers to, from when it was last sent"
    ),
    Retention("commands", 1, "ids of commands and their sealed answers"),
)
