"""Executions that somebody has forgotten before their time."""

from libs.common.errors import Conflict
from libs.common.fields import Count, ExecutionId, WorkflowId
from libs.common.messages import Command, Event, Message


class ExecutionNotEnded(Conflict):
    code = "execution-not-ended"


class ForgottenShown(Message):
    """What is not shown any more."""

    id: ExecutionId


class ForgetExecution(
    Command,
    type="executor.command.forget-execution",
    permission="executions:control",
    answers=ForgottenShown,
):
    """Of one that has ended, and for which nobody waits; answers ForgottenShown.

    Refuses: execution-not-ended.
    """

    execution_id: ExecutionId


class ExecutionForgotten(Event, type="executor.event.execution-forgotten", public=True):
    """In a stream of its own, which stays when the execution's is gone."""

    execution_id: ExecutionId
    workflow_id: WorkflowId
    events: Count
