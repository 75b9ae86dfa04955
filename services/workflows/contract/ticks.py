"""The fact that a schedule's instant was decided."""

from typing import Literal

from libs.common.fields import Count, Moment, Version, Word, WorkflowId
from libs.common.messages import Event
from libs.common.streams import stream_of

Decision = Literal["start", "skip"]


class ScheduleTicked(Event, type="workflows.event.schedule-ticked"):
    """An instant of a schedule was decided, once, whoever looked and however often.

    `schedule` is the trigger's id, or its place in `on`; `workflow_version` the version that was
    published at `due_at`, whose trigger makes the input. `missed_count` is how many instants that
    nobody decided in time this stands for, `due_at` being the last of them; 0 when it was in time.
    With the decision `skip` nothing starts.
    """

    workflow_id: WorkflowId
    schedule: Word
    workflow_version: Version
    due_at: Moment
    decision: Decision
    missed_count: Count


def schedule_stream(organization: str, workflow_id: str) -> str:
    return stream_of("schedule", organization, workflow_id)
