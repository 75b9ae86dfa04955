"""What audit keeps, and for how long."""

from libs.common.retention import Retention

RULES = (
    Retention("entries", None, "ids of every event: the trail only grows, no role may delete"),
    Retention("gaps", None, "numbers that were missing, and since when they are there"),
)
