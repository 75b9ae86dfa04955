"""Notes who looks at what was processed."""

from typing import TYPE_CHECKING, Any

from libs.common.messages import Meta
from services.executor.contract import (
    CallOpened,
    ErrorsSearched,
    ExecutionOpened,
    FileOpened,
    ResultOpened,
)

if TYPE_CHECKING:
    from services.executor.engine import Engine

KIND, ERRORS = "opened", "errors"
PAYLOADS = "payloads:read"


def execution_opened(
    engine: "Engine", execution: str, what: Any, meta: Meta, permission: str = PAYLOADS
) -> None:
    fact = ExecutionOpened(execution_id=execution, what=what, permission=permission)
    engine.looks.note(KIND, execution, fact, meta)


def call_opened(engine: "Engine", call: str, meta: Meta) -> None:
    engine.looks.note(KIND, call, CallOpened(call_id=call, permission=PAYLOADS), meta)


def file_opened(engine: "Engine", file: str, meta: Meta) -> None:
    engine.looks.note(KIND, file, FileOpened(file_id=file, permission=PAYLOADS), meta)


def result_opened(engine: "Engine", operation: str, permission: str, meta: Meta) -> None:
    fact = ResultOpened(operation_id=operation, permission=permission)
    engine.looks.note(KIND, operation, fact, meta)


def errors_searched(engine: "Engine", meta: Meta) -> None:
    """One thing for each organization: what all its errors said."""
    engine.looks.note(KIND, ERRORS, ErrorsSearched(permission=PAYLOADS), meta)
