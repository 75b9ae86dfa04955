"""What a log says about an execution, ended or not: its state, its results opened, their times."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.common.messages import Recorded
from libs.common.privacy import DataKey
from services.executor.contract import (
    EffectBegan,
    EffectEnded,
    ExecutionFinished,
    ExecutionProgressed,
)  # fmt: skip
from services.executor.state import Absent, Going, evolve


@dataclass(frozen=True, slots=True)
class Span:
    """When a result was begun and when it was there, and how large it is."""

    began: datetime
    ended: datetime
    bytes: int


@dataclass(slots=True)
class Standing:
    """`state` as before the end, with the results that the end carried; `spans` by path."""

    state: Going
    finished: ExecutionFinished | None
    ended_at: datetime | None
    spans: dict[str, Span]

    def opened(self, key: DataKey, stream: str, paths: Iterable[str]) -> dict[str, Any]:
        """The values of these results, by path."""
        batches: dict[str, Any] = {}
        found: dict[str, Any] = {}
        for path in paths:
            sealed = self.state.results[path]
            if sealed.values not in batches:
                batches[sealed.values] = key.open(sealed.values, stream)
            batch = batches[sealed.values]
            found[path] = batch if sealed.index is None else batch[sealed.index]
        return found


def standing(events: Sequence[Recorded]) -> Standing:
    state: Any = Absent()
    spans: dict[str, Span] = {}
    finished, ended_at, began = None, None, {}
    for recorded in events:
        event = recorded.event()
        match event:
            case ExecutionProgressed() | ExecutionFinished():
                for one in event.results:
                    spans[one.path] = Span(one.started_at, one.ended_at, one.bytes)
            case EffectBegan():
                began[event.path] = event.first_at
            case EffectEnded(outcome="done"):
                spans[event.path] = Span(began[event.path], recorded.time, event.bytes)
            case _:
                pass
        if isinstance(event, ExecutionFinished):
            finished, ended_at = event, recorded.time
            event = _rest_of(event)
        state = evolve(state, event)
    assert isinstance(state, Going), "the events begin with the start"
    return Standing(state, finished, ended_at, spans)


def _rest_of(event: ExecutionFinished) -> ExecutionProgressed:
    """The results that the end carried, as if they had come before it."""
    return ExecutionProgressed.model_construct(
        results=event.results if event.values is not None else [], values=event.values or "",
        budget_used=event.steps_count,
    )  # fmt: skip
