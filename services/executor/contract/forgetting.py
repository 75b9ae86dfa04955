"""Executions that leave: forgotten by somebody before their time, or when their days are over."""

from typing import Literal

from libs.common.errors import Conflict
from libs.common.fields import Count, ExecutionId, Moment, WorkflowId
from libs.common.messages import Command, Event, Message

What = Literal["executions", "calls", "events"]


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


class HistoryExpired(Event, type="executor.event.history-expired"):
    """That much of an organization's history has left, and why: it is older than `history_days`.

    `calls` began no execution, `events` belong to none or came after it had left. `first_at` and
    `last_at` are the oldest and newest end (of executions) or moment among what left together.
    """

    what: What
    history_days: Count
    count: Count
    first_at: Moment
    last_at: Moment
