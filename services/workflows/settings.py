"""Settings of workflows alone."""

from pydantic import Field

from libs.common.settings import Settings


class WorkflowSettings(Settings):
    """How schedules are looked after.

    An instant that is decided later than the grace counts as missed. Who leads sleeps until the
    next instant is due, and at most so long.
    """

    schedule_grace_s: float = Field(default=60.0, gt=0, le=3600)
    schedule_sleep_s: float = Field(default=60.0, gt=0, le=3600)
