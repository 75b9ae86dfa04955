"""Notes who looks at what was processed."""

from typing import TYPE_CHECKING, Any

from libs.common.messages import Meta
from services.executor.contract import CallOpened, ExecutionOpened, FileOpened

if TYPE_CHECKING:
    from services.executor.engine import Engine

KIND = "opened"
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
