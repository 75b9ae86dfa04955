"""What a workflow sets for its own publishing: so many past executions that go the same way."""

from typing import Annotated

from pydantic import Field

from libs.common.fields import Count, ExecutionId, Moment, Version, Word, WorkflowId
from libs.common.messages import Command, Event, Message, Query

GOLDEN_MAX = 50
# 0: none are looked at.
GoldenCount = Annotated[Count, Field(le=GOLDEN_MAX)]


class PublishingGateSet(Event, type="workflows.event.publishing-gate-set", public=True):
    """Before a draft is published, so many of the last executions are replayed against it."""

    workflow_id: WorkflowId
    golden_replay: Count
    set_at: Moment


class DifferencesAccepted(Event, type="workflows.event.differences-accepted", public=True):
    """The draft is published although these executions, of `total`, would go another way."""

    workflow_id: WorkflowId
    draft_version: Version
    executions: list[ExecutionId]
    total: Count


class PublishingGateShown(Message):
    """`wanted` holds: the greater one of the workflow's and the organization's."""

    golden_replay: Count
    organization_golden_replay: Count
    wanted: Count


class SetPublishingGate(
    Command,
    type="workflows.command.set-publishing-gate",
    permission="workflows:publish",
    answers=PublishingGateShown,
):
    """How many past executions have to go the same way before a draft is published; 0: none."""

    workflow: Word
    golden_replay: GoldenCount


class FindPublishingGate(
    Query,
    type="workflows.query.find-publishing-gate",
    permission="workflows:read",
    answers=PublishingGateShown,
):
    workflow: Word
