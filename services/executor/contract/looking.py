"""That somebody read what was processed; who, when and from where stand in the envelope."""

from typing import Literal

from libs.common.fields import CallId, ExecutionId, FileId, OperationId, Word
from libs.common.messages import Event


class ExecutionOpened(Event, type="executor.event.execution-opened"):
    """The first look of a reader at what an execution processed, in an hour; `what` was looked at,
    and `permission` is by what right."""

    execution_id: ExecutionId
    what: Literal["data", "step", "call", "approval", "comparison", "golden-replay", "export"]
    permission: Word


class CallOpened(Event, type="executor.event.call-opened"):
    """The first look of a reader at a call that started nothing, in an hour."""

    call_id: CallId
    permission: Word


class FileOpened(Event, type="executor.event.file-opened"):
    """The first time in an hour that a reader takes a file."""

    file_id: FileId
    permission: Word


class ResultOpened(Event, type="executor.event.result-opened"):
    """The first time in an hour that a reader takes what an operation kept, such as an export."""

    operation_id: OperationId
    permission: Word


class ErrorsSearched(Event, type="executor.event.errors-searched"):
    """The first time in an hour that a reader looks for words in what errors said."""

    permission: Word
