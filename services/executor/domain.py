"""The life of one execution: what its log says, and which facts may follow."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from libs.common.decider import Decider
from libs.common.errors import NotFound
from libs.common.messages import Event
from libs.language.errors import ExpressionError
from services.executor.contract import (
    CancelRequested,
    EffectBegan,
    EffectEnded,
    EgressRefused,
    ErrorFact,
    ExecutionFinished,
    ExecutionProgressed,
    ExecutionStarted,
    WaitBegan,
    WaitEnded,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Absent:
    """Nobody started it."""


@dataclass(slots=True)
class Effect:
    """One effect: how often it was tried, and what the last attempt came to."""

    attempt: int
    key: str
    request: str
    ended: EffectEnded | None = None


@dataclass(slots=True)
class Sealed:
    """Where the value of a result is: one of the sealed values of an event."""

    values: str
    index: int | None


@dataclass(slots=True)
class Going:
    """Started and not ended. Owned by whoever folded it; `evolve` carries it forward in place."""

    started: ExecutionStarted
    results: dict[str, Sealed] = field(default_factory=dict)
    effects: dict[str, Effect] = field(default_factory=dict)
    waits: dict[str, datetime] = field(default_factory=dict)
    waited: set[str] = field(default_factory=set)
    cancel: CancelRequested | None = None
    first_at: dict[str, datetime] = field(default_factory=dict)
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing follows."""

    started: ExecutionStarted
    finished: ExecutionFinished
    cancel: CancelRequested | None = None


Execution = Absent | Going | Ended


@dataclass(frozen=True, slots=True)
class Cancel:
    """Somebody wants it to end; in an ended one nothing happens."""

    rollback: bool
    reason: str | None


def decide(command: Cancel, state: Execution) -> list[Event]:
    match state:
        case Absent():
            raise NotFound()
        case Going(cancel=None):
            return [CancelRequested(rollback=command.rollback, reason=command.reason)]
        case Going() | Ended():
            return []


def evolve(state: Execution, event: Any) -> Execution:
    match state, event:
        case Absent(), ExecutionStarted():
            return Going(event)
        case Going(), ExecutionProgressed():
            for index, result in enumerate(event.results):
                state.results[result.path] = Sealed(event.values, index)
            state.steps += len(event.results)
        case Going(), EffectBegan():
            state.effects[event.path] = Effect(event.attempt, event.idempotency_key, event.request)
            state.first_at.setdefault(event.path, event.first_at)
        case Going(), EffectEnded():
            state.effects[event.path].ended = event
            if event.outcome == "done" and event.value is not None:
                state.results[event.path] = Sealed(event.value, None)
                state.steps += 1
        case Going(), WaitBegan():
            state.waits[event.path] = event.due_at
            state.waited.discard(event.path)
        case Going(), WaitEnded():
            state.waits.pop(event.path, None)
            state.waited.add(event.path)
        case Going(), CancelRequested():
            state.cancel = event
        case Going(), ExecutionFinished():
            return Ended(state.started, event, state.cancel)
        case Going(), EgressRefused():
            return state
        case _:
            raise ValueError(f"{type(event).__name__} can't follow in {type(state).__name__}")
    return state


execution: Decider[Cancel, Execution] = Decider(Absent(), decide, evolve)


# -- failure and retry (language-rules §7) -------------------------------------------------------

DEFAULT_ON = ("timeout", "connection", "rate-limited", "server-error")
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})


class StepFailed(Exception):
    """A step failed for good; carries what the end of the execution will say."""

    def __init__(
        self, type: str, message: str, path: str | None = None, attempts: int = 0,
        status: int | None = None, retry_after_s: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(type)
        self.type, self.message, self.path = type, message, path
        self.attempts, self.status, self.retry_after_s = attempts, status, retry_after_s
        self.since = 0.0
        self.host = self.rule = ""


def expression_failed(error: ExpressionError, path: str | None) -> StepFailed:
    """The failure of a step whose expression has no value."""
    code = error.code if error.code.startswith("expression") else f"expression-{error.code}"
    return StepFailed(code, str(error), path)


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """A retry with every value filled in; `attempts` counts the first one."""

    attempts: int
    exponential: bool
    initial_s: float
    max_s: float
    on: tuple[str | int, ...]

    def pause_s(self, attempt: int, chance: float) -> float:
        """The pause after `attempt`: full jitter, `chance` from 0 to 1."""
        limit = self.initial_s * 2 ** (attempt - 1) if self.exponential else self.initial_s
        return min(self.max_s, limit) * chance

    def again(self, failure: StepFailed, attempt: int) -> bool:
        if attempt >= self.attempts:
            return False
        named = {failure.type}
        if failure.status is not None:
            named |= {str(failure.status), f"{failure.status // 100}xx"}
        return any(str(item) in named for item in self.on)


def retry_plan(given: Any, repeatable: bool) -> RetryPlan:
    """What a step's `retry` says; where it says nothing, the defaults of its effect."""
    default = 3 if repeatable else 1
    if given is None:
        return RetryPlan(default, True, 1.0, 30.0, DEFAULT_ON)
    return RetryPlan(
        given.attempts if given.attempts is not None else max(default, 3),
        given.backoff != "fixed",
        given.initial_s if given.initial_s is not None else 1.0,
        given.max_s if given.max_s is not None else 30.0,
        given.on if given.on is not None else DEFAULT_ON,
    )


def error_fact(failure: StepFailed, message: str | None) -> ErrorFact:
    return ErrorFact(
        type=failure.type, path=failure.path, attempts=failure.attempts or None, message=message
    )
