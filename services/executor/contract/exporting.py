"""Executions as lines of JSON, for those who may read what they processed."""

from libs.common.errors import Conflict, Rejected
from libs.common.fields import Flag
from libs.common.messages import Command
from services.executor.contract.controls import ExecutionFilter, OperationOrCount

EXPORT_MAX = 20_000


class ExportTooLarge(Rejected):
    """What an execution gets whose line has no place any more."""

    code = "export-too-large"


class NotEnded(Conflict):
    """The result of an operation that is still at work."""

    code = "operation-running"


class ExportExecutions(
    Command,
    type="executor.command.export-executions",
    permission="payloads:read",
    answers=OperationOrCount,
):
    """All of a filter, each with its input, output and error; answers as CancelExecutions.

    The operation's result has a piece for each; it is deleted a day after its end.
    """

    filter: ExecutionFilter
    dry_run: Flag = False
