"""What an execution processed, opened for those who may read payloads."""

from collections.abc import Sequence
from typing import Any

from libs.common.errors import NotFound
from libs.common.eventstore import stream_of
from libs.common.messages import Event, Recorded
from libs.common.privacy import DataKey
from services.executor.contract import (
    EffectBegan,
    EffectEnded,
    ExecutionData,
    ExecutionFinished,
    ExecutionProgressed,
    ExecutionResumed,
    ExecutionStarted,
    OpenData,
    RollbackBegan,
    UndoEnded,
)  # fmt: skip

TEXT_MAX = 4000


def open_data(query: OpenData, recorded: list[Recorded], key: DataKey) -> ExecutionData:
    """Input and output, or with `step` what one step (`post[3]`) gave, or how it failed."""
    stream = stream_of("execution", recorded[0].organization, query.execution_id)
    events = [r.event() for r in recorded]
    if query.step is not None:
        return _of_step(query.execution_id, query.step, events, _Opener(key, stream))
    started = events[0]
    last = next((e for e in events if isinstance(e, ExecutionFinished)), None)
    assert isinstance(started, ExecutionStarted)
    output = error = None
    if last is not None:
        output = key.open(last.output, stream) if last.output else None
        if last.error is not None and last.error.message is not None:
            error = str(key.open(last.error.message, stream))[:TEXT_MAX]
    return ExecutionData(
        id=query.execution_id, input=key.open(started.input, stream)["input"], output=output,
        error=error,
    )  # fmt: skip


class _Opener:
    def __init__(self, key: DataKey, stream: str) -> None:
        self._key, self._stream = key, stream

    def __call__(self, sealed: str | None) -> Any:
        return None if sealed is None else self._key.open(sealed, self._stream)

    def text(self, sealed: str | None) -> str | None:
        return None if sealed is None else str(self(sealed))[:TEXT_MAX]


def _of_step(execution: str, step: str, events: Sequence[Event], opened: _Opener) -> ExecutionData:
    """The last word about a step: its result, what it sent (secrets are names there), what came
    back when it failed, and why it was not undone."""
    said: dict[str, Any] = {}
    for event in events:
        match event:
            case ExecutionProgressed() | ExecutionFinished():
                for number, result in enumerate(event.results):
                    if result.path == step and event.values is not None:
                        said["result"] = opened(event.values)[number]
                if isinstance(event, ExecutionFinished):
                    said |= _failure(event.error, step, opened)
            case EffectBegan(path=path) if path == step:
                said["sent"] = opened(event.request)
            case EffectEnded(path=path) if path == step:
                said |= {"result": opened(event.value)} if event.outcome == "done" else {}
                said["error"] = opened.text(event.error.message) if event.error else None
                if event.undo is not None and event.undo.impossible is not None:
                    said["undo_error"] = opened.text(event.undo.impossible)
            case UndoEnded(path=path) if path == step and event.error is not None:
                said["undo_error"] = opened.text(event.error.message)
            case ExecutionResumed(path=path, decision="accept") if path == step:
                said["result"] = opened(event.value)
            case RollbackBegan():
                said |= _failure(event.error, step, opened)
            case _:
                continue
    if not said:
        raise NotFound("this step has neither a result nor sent anything")
    return ExecutionData(id=execution, step=step, **said)


def _failure(error: Any, step: str, opened: _Opener) -> dict[str, Any]:
    """Of a step that sent nothing, such as one whose expression has no value."""
    if error is None or error.path != step or error.message is None:
        return {}
    return {"error": opened.text(error.message)}
