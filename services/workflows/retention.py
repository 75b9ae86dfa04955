"""What workflows keeps, and how long."""

from libs.common.retention import Retention

RULES = (
    Retention("workflows", None, "drafts, saves, published versions and notes, sealed"),
    Retention("secrets", None, "the newest value, sealed, until it is replaced or deleted"),
    Retention("variables", None, "every value that was set, sealed"),
    Retention("commands", 1, "ids of commands and their sealed answers"),
)
