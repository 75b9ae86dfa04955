"""Golden replay: an execution that ended, simulated by another document with what was recorded.

What it asked, got and decided then is what answers now, at the times that were recorded, so that
only the documents' difference shows: results, requests, effects that are new or missing, the end.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from libs.common import clock
from libs.common.messages import Recorded
from libs.language import parse_rfc3339
from services.executor.contract import (
    ApprovalDecided,
    ApprovalExpired,
    EffectBegan,
    EffectEnded,
    ExecutionResumed,
    UndoEnded,
    WaitBegan,
    WaitEnded,
)  # fmt: skip
from services.executor.deciding import agreeing
from services.executor.differences import Difference, differences
from services.executor.failure import StepFailed
from services.executor.host import MISSING
from services.executor.mocks import UNDO, Unmocked
from services.executor.simulation import Simulation, references
from services.executor.standing import Standing

DIFFERENCES_MAX = 20


@dataclass(slots=True)
class Past:
    """`Answers` out of the log of one execution; `requests` are the first ones by path."""

    standing: Standing
    opened: Callable[[str], Any]
    values: dict[str, Any]
    began_at: datetime
    requests: dict[str, Any] = field(default_factory=dict)
    undone: dict[str, bool] = field(default_factory=dict)
    _ended: dict[str, list[Any]] = field(default_factory=dict)
    _began: dict[str, datetime] = field(default_factory=dict)
    _decided: dict[str, list[ApprovalDecided]] = field(default_factory=dict)
    _over: set[str] = field(default_factory=set)
    _given_up: dict[str, str] = field(default_factory=dict)
    _used: dict[str, int] = field(default_factory=dict)

    def read(self, events: list[Recorded]) -> "Past":
        for recorded in events:
            match event := recorded.event():
                case EffectBegan():
                    if event.path not in self.requests:
                        self.requests[event.path] = references(self.opened(event.request))
                    self._began.setdefault(event.path, event.first_at)
                case EffectEnded():
                    self._ended.setdefault(event.path, []).append(event)
                case UndoEnded():
                    self.undone[event.path] = event.outcome == "done"
                case WaitBegan() if event.began_at is not None:
                    self._began.setdefault(event.path, event.began_at)
                case WaitEnded(reason="timed-out"):
                    self._over.add(event.path)
                case ApprovalDecided():
                    self._decided.setdefault(event.path, []).append(event)
                case ApprovalExpired():
                    self._over.add(event.path)
                case ExecutionResumed(decision="fail") if event.path is not None:
                    self._given_up[event.path] = event.decision
                case _:
                    continue
        for path, span in self.standing.spans.items():
            self._began.setdefault(path, span.began)
        return self

    # -- Answers --------------------------------------------------------------------------------

    def effect(self, path: str, attempt: int) -> Any:
        """The n-th answer that came; an attempt that a crash cut off never had one."""
        if path.endswith(UNDO):
            if self.undone.get(path.removesuffix(UNDO), True):
                return {}
            raise StepFailed("server-error", "the undo failed then, too")
        ended, number = self._ended.get(path, []), self._used.get(path, 0)
        self._used[path] = number + 1
        if number < len(ended):
            if (error := ended[number].error) is not None:
                message = self.opened(error.message) if error.message else ""
                raise StepFailed(error.type, message, status=error.status)
            return self.opened(ended[number].value)
        if path in self.values:  # a person gave the result
            return self.values[path]
        raise Unmocked(path, "there was no such effect then")

    def instead(self, path: str) -> Any:
        return MISSING

    def decision(self, path: str) -> dict[str, Any]:
        decided = self._decided.get(path)
        if not decided:
            if path in self._over:
                return {"decision": "timed-out"}
            raise Unmocked(path, "nobody decided this then")
        last = decided[-1]
        edited = [d.input for d in decided if d.input is not None]
        return {
            "decision": last.decision, "decided_by": [d.person_id for d in agreeing(decided)],
            "comment": self.opened(last.comment) if last.comment else None,
            "input": self.opened(edited[-1]) if edited else None,
        }  # fmt: skip

    def child(self, path: str) -> Any:
        if path in self.values:
            return self.values[path]
        if path in self.standing.state.children:
            raise StepFailed("workflow-failed", "it failed then, too")
        raise Unmocked(path, "no such sub-workflow was started then")

    def event(self, path: str) -> Any:
        found = self.values.get(path)
        event = found.get("event") if isinstance(found, dict) else None
        return MISSING if event is None else event

    def began(self, path: str) -> datetime | None:
        return self._began.get(path)


@dataclass(frozen=True, slots=True)
class Differs:
    """One thing that differs: at a step (None: at the end), what, and both sides."""

    step: str | None
    what: str
    recorded: Any = None
    now: Any = None
    pointer: str = ""
    detail: str | None = None


@dataclass(slots=True)
class Compared:
    differs: list[Differs]
    new: list[str]
    missing: list[str]
    changed: list[str]

    @property
    def same(self) -> bool:
        return not self.differs


def compared(past: Past, came: Simulation, output: Any) -> Compared:
    """In the order of the log; `output` is the recorded one."""
    alike = times_of(past, came)
    requests = {one.path: one.request for one in reversed(came.asked)
                if not one.undo and not one.connector.startswith("workflow:")}  # fmt: skip
    found = list(islice(_all(past, came, requests, output, alike), DIFFERENCES_MAX))
    return Compared(
        found,
        [path for path in requests if path not in past.requests],
        [path for path in past.requests if path not in requests],
        [path for path, request in past.requests.items()
         if path in requests and any(differences(request, requests[path], alike=alike))],
    )  # fmt: skip


def _all(
    past: Past, came: Simulation, requests: dict[str, Any], output: Any,
    alike: Callable[[Any, Any], bool],
) -> Iterator[Differs]:  # fmt: skip
    order = dict.fromkeys([*past.requests, *past.values])
    by_time = sorted(order, key=lambda path: past.began(path) or past.began_at)
    for path in by_time:
        if path in past.requests and path in requests:
            yield from _at(path, "request", past.requests[path], requests[path], alike)
        if path not in past.values:
            if path not in requests:
                yield Differs(path, "missing", past.requests.get(path))
        elif path not in came.results:
            yield Differs(path, "missing", past.values[path])
        else:
            yield from _at(path, "result", past.values[path], came.results[path], alike)
    for path in [*requests, *came.results]:
        if path not in order:
            now = came.results.get(path, requests.get(path))
            yield Differs(path, "new", now=now)
    yield from _end(past, came, output, alike)


def _at(
    path: str | None, what: str, recorded: Any, now: Any, alike: Callable[[Any, Any], bool]
) -> Iterator[Differs]:
    for one in islice(differences(recorded, now, alike=alike), 1):
        yield _differs(path, what, one)


def _differs(path: str | None, what: str, one: Difference) -> Differs:
    return Differs(path, what, one.expected, one.got, one.pointer)


def _end(
    past: Past, came: Simulation, output: Any, alike: Callable[[Any, Any], bool]
) -> Iterator[Differs]:
    finished = past.standing.finished
    assert finished is not None, "only what has ended is compared"
    if came.stopped is not None:
        yield Differs(None, "stopped", finished.outcome, came.outcome, detail=came.stopped)
        return
    if came.outcome != finished.outcome:
        detail = came.error["type"] if came.error else None
        yield Differs(None, "outcome", finished.outcome, came.outcome, detail=detail)
    elif finished.outcome == "succeeded":
        yield from _at(None, "output", output, came.output, alike)
    elif finished.error is not None and came.error is not None:
        was, now = (finished.error.type, finished.error.path), came.error
        if was != (now["type"], now["path"]):
            yield Differs(None, "outcome", list(was), [now["type"], now["path"]])


def times_of(past: Past, came: Simulation) -> Callable[[Any, Any], bool]:
    """Two texts are alike when both are instants since it began: the clock's doing."""
    began, until = past.began_at, clock.now()
    if came.ended_at is not None:
        until = max(until, came.ended_at)

    def instant(text: Any) -> bool:
        if not isinstance(text, str) or not 20 <= len(text) <= 35:
            return False
        try:
            return began <= parse_rfc3339(text) <= until
        except ValueError:
            return False

    return lambda one, other: instant(one) and instant(other)
