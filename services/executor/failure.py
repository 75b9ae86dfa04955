"""How a step fails, and when it is tried again (language-rules §7)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.common import clock
from services.executor.contract import ErrorFact

DEFAULT_ON = ("timeout", "connection", "rate-limited", "server-error")
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})


class StepFailed(Exception):
    """A step failed for good; carries what the end of the execution will say.

    `also` are the types of what failed after it in `catch`, `finally` or `on_error`.
    """

    def __init__(
        self, type: str, message: str, path: str | None = None, attempts: int = 0,
        status: int | None = None, retry_after_s: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(type)
        self.type, self.message, self.path = type, message, path
        self.attempts, self.status, self.retry_after_s = attempts, status, retry_after_s
        self.since = 0.0
        self.host = self.rule = ""
        self.column: int | None = None  # in the expression that had no value
        self.also: list[str] = []
        self.at = clock.now()

    def value(self) -> dict[str, Any]:
        """What expressions see as `error`; JSON, so that it can be recorded."""
        return {
            "type": self.type, "message": self.message,
            "step": self.path.partition("[")[0] if self.path else None, "path": self.path,
            "attempts": self.attempts, "status": self.status,
            "at": self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }  # fmt: skip

    @classmethod
    def again(cls, value: dict[str, Any]) -> "StepFailed":
        """The failure of which `value` was recorded."""
        failure = cls(
            value["type"], value["message"], value["path"], value["attempts"], value["status"]
        )
        failure.at = datetime.fromisoformat(value["at"])
        return failure


def fits(on: tuple[str, ...] | None, failure: StepFailed) -> bool:
    """Whether a handler for these types takes it; `expression` takes every expression-…"""
    if on is None:
        return True
    return any(failure.type == t or failure.type.startswith(f"{t}-") for t in on)


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """A retry with every value filled in; `attempts` counts the first one."""

    attempts: int
    exponential: bool
    initial_s: float
    max_s: float
    on: tuple[str | int, ...]
    pauses: bool = False

    def pause_s(self, attempt: int, chance: float) -> float:
        """The pause after `attempt`: full jitter, `chance` from 0 to 1."""
        limit = self.initial_s * 2 ** (attempt - 1) if self.exponential else self.initial_s
        return min(self.max_s, limit) * chance

    def again(self, failure: StepFailed, attempt: int) -> bool:
        return attempt < self.attempts and self.named(failure)

    def named(self, failure: StepFailed) -> bool:
        """Whether `on` speaks of this failure, by type, status or class of status."""
        names = {failure.type}
        if failure.status is not None:
            names |= {str(failure.status), f"{failure.status // 100}xx"}
        return any(str(item) in names for item in self.on)


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
        given.then == "pause",
    )


def error_fact(failure: StepFailed, message: str | None) -> ErrorFact:
    return ErrorFact(
        type=failure.type, path=failure.path, attempts=failure.attempts or None,
        status=failure.status, message=message, also=failure.also[:10],
    )  # fmt: skip
