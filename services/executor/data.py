"""What an execution processed, opened for those who may read payloads."""

from typing import Any

from libs.common.errors import NotFound
from libs.common.eventstore import stream_of
from libs.common.messages import Recorded
from libs.common.privacy import DataKey
from services.executor.contract import (
    EffectEnded,
    ExecutionData,
    ExecutionFinished,
    ExecutionProgressed,
    ExecutionStarted,
    OpenData,
)  # fmt: skip


def open_data(query: OpenData, recorded: list[Recorded], key: DataKey) -> ExecutionData:
    """Input and output, or with `step` the result of one step (`post[3]`)."""
    stream = stream_of("execution", recorded[0].organization, query.execution_id)
    events = [r.event() for r in recorded]
    if query.step is not None:
        return ExecutionData(
            id=query.execution_id, step=query.step, result=_result(query.step, events, key, stream)
        )
    started, last = events[0], events[-1]
    assert isinstance(started, ExecutionStarted)
    output = error = None
    if isinstance(last, ExecutionFinished):
        output = key.open(last.output, stream) if last.output else None
        if last.error is not None and last.error.message is not None:
            error = str(key.open(last.error.message, stream))[:4000]
    return ExecutionData(
        id=query.execution_id, input=key.open(started.input, stream)["input"], output=output,
        error=error,
    )  # fmt: skip


def _result(step: str, events: list[Any], key: DataKey, stream: str) -> Any:
    for event in events:
        if isinstance(event, ExecutionProgressed | ExecutionFinished):
            for number, result in enumerate(event.results):
                if result.path == step and event.values is not None:
                    return key.open(event.values, stream)[number]
        elif isinstance(event, EffectEnded) and event.path == step and event.value is not None:
            return key.open(event.value, stream)
    raise NotFound("this step has no result")
