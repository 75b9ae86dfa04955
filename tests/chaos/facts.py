"""What the checker judges: everything that was collected after the kills, as plain values."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A start that a caller was told of (200 or 202); `wrong` says what was wrong with a 200.

    `sent` is the body of the call: what must come of it follows from that and the kind.
    """

    key: str
    execution: str
    kind: str
    wrong: str | None = None
    sent: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A row of a log; what follows `type` is taken from the executor's events, never its values."""

    n: int
    id: str
    stream: str
    version: int
    type: str
    path: str | None = None
    attempt: int | None = None
    outcome: str | None = None
    error: str | None = None
    key: str | None = None
    results: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Number:
    """An event as somebody downstream has it: on the bus, in the trail."""

    n: int
    id: str


@dataclass(frozen=True, slots=True)
class Request:
    """What reached the receiver of the effects, and how it was answered; `at` is its clock."""

    key: str
    status: int
    path: str = ""
    at: float = 0.0


@dataclass
class Producer:
    """One service's log and what became of it. `published` is in the order of the stream."""

    log: list[Event]
    head: int
    relayed: int
    published: list[Number]
    audited: list[Number]


@dataclass
class Facts:
    """`due_in_s`: rows of `timers`, negative when overdue. `listed`: the view of executions with
    outcomes. `metered`: executions that billing counted."""

    acknowledged: list[Acknowledged] = field(default_factory=list)
    producers: dict[str, Producer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    due_in_s: dict[str, float] = field(default_factory=dict)
    listed: dict[str, str | None] = field(default_factory=dict)
    metered: int = 0

    @property
    def executions(self) -> dict[str, list[Event]]:
        """The events of each execution, by its id, in the order of the log."""
        found: dict[str, list[Event]] = {}
        for event in self.producers["executor"].log:
            kind, _, rest = event.stream.partition("-")
            if kind == "execution":
                found.setdefault(rest.partition("-")[2], []).append(event)
        return found


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken guarantee, and what shows it."""

    guarantee: str
    what: str
