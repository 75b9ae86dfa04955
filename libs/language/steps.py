"""The steps and blocks of a checked document, as the executor walks them: texts compiled."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from libs.language.expression import Expression
from libs.language.templates import Value

Backoff = Literal["exponential", "fixed"]
Failures = Literal["stop", "collect"]

STEP_TIMEOUT_S = 30.0
PAGES_ITEMS = 10_000


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and when to try again; None means: as the effect's default has it (§7.3)."""

    attempts: int | None = None
    backoff: Backoff | None = None
    initial_s: float | None = None
    max_s: float | None = None
    on: tuple[str | int, ...] | None = None  # error types, 429, "5xx"
    then: Literal["fail", "pause"] = "fail"  # after the last attempt


@dataclass(frozen=True, slots=True)
class Block:
    """Steps in their order, and what leaves the block (None: its steps' results by id)."""

    steps: "tuple[Step, ...]"
    output: Value | None


@dataclass(frozen=True, slots=True)
class SetStep:
    """Computes values; its result is the object. The keys don't see each other."""

    id: str
    title: str | None
    pointer: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Branch:
    """One `when` of a choose."""

    when: Expression
    name: str | None
    block: Block


@dataclass(frozen=True, slots=True)
class ChooseStep:
    """Runs the first branch that is true; its result is that branch's value, or {}."""

    id: str
    title: str | None
    pointer: str
    branches: tuple[Branch, ...]
    otherwise: Block | None


@dataclass(frozen=True, slots=True)
class Pages:
    """A list that comes in pages: `page` is the last answer, null in the first `with`."""

    connector: str
    version: int
    with_: Value
    items: Expression
    next: Expression  # null ends
    limit: int = PAGES_ITEMS


@dataclass(frozen=True, slots=True)
class ForEachStep:
    """Runs its block once for each item of a list; its result is the list of the blocks' values."""

    id: str
    title: str | None
    pointer: str
    items: Expression | Pages
    as_: str
    index_as: str | None
    concurrency: int
    failures: Failures
    block: Block


@dataclass(frozen=True, slots=True)
class ParallelStep:
    """Runs its branches at once; its result is their values by name."""

    id: str
    title: str | None
    pointer: str
    branches: Mapping[str, Block]
    failures: Failures


@dataclass(frozen=True, slots=True)
class Handler:
    """One `catch`: `on` are error types (None: any); `undo` false leaves effects in place."""

    on: tuple[str, ...] | None
    undo: bool
    block: Block


@dataclass(frozen=True, slots=True)
class TryStep:
    """Runs `body`; an error that a handler fits leads there; `finally_` runs in any case."""

    id: str
    title: str | None
    pointer: str
    body: Block
    handlers: tuple[Handler, ...]
    finally_: Block | None


@dataclass(frozen=True, slots=True)
class EventWait:
    """Which event ends a wait; `match` sees `event` (the CloudEvent) and the scope."""

    type: str  # exact, or with `*` at the end
    match: Expression | None
    look_back_s: float | None  # None: to the start of the execution


@dataclass(frozen=True, slots=True)
class WaitStep:
    """Waits for a duration (a text such as 2s, perhaps computed), until a time, or an event."""

    id: str
    title: str | None
    pointer: str
    for_: Value | None
    until: Expression | None
    event: EventWait | None = None
    timeout_s: float | None = None
    on_timeout: Literal["fail", "continue"] = "fail"


@dataclass(frozen=True, slots=True)
class ApprovalStep:
    """Asks people; a rejection fails the step unless `on_reject` says `continue`."""

    id: str
    title: str | None
    pointer: str
    by: tuple[str, ...]  # "role:admin", "person:per_…"
    quorum: int
    message: Value
    input_schema: Mapping[str, Any] | bool | None  # of what may be edited; None: nothing
    input_value: Value | None
    timeout_s: float | None
    on_timeout: Literal["reject", "approve", "fail"]
    on_reject: Literal["fail", "continue"]
    remind_s: float | None  # again after each such time
    not_the_starter: bool


@dataclass(frozen=True, slots=True)
class WorkflowStep:
    """Starts another workflow: `version` a number, "latest", or None: as published with this."""

    id: str
    title: str | None
    pointer: str
    workflow: str
    version: int | Literal["latest"] | None
    with_: Value | None
    detached: bool


@dataclass(frozen=True, slots=True)
class PythonStep:
    """Sandboxed code: sees the names in `with_`, may call the connectors in `uses`."""

    id: str
    title: str | None
    pointer: str
    code: str
    with_: Mapping[str, Value]
    uses: tuple[tuple[str, int], ...]  # ("http-request", 1) is the function http_request
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Undo:
    """What reverses an effect; `with_` is computed when the step completes."""

    connector: str
    version: int
    with_: Value
    retry: Retry | None
    timeout_s: float


@dataclass(frozen=True, slots=True)
class UsesStep:
    """Calls a connector; its result is the connector's output."""

    id: str
    title: str | None
    pointer: str
    connector: str
    version: int
    with_: Value
    retry: Retry | None
    timeout_s: float
    deadline_s: float | None
    once: bool
    undo: Undo | None = None


Step = (
    SetStep | UsesStep | ChooseStep | ForEachStep | ParallelStep | TryStep | WaitStep
    | ApprovalStep | WorkflowStep | PythonStep
)  # fmt: skip


def blocks_in(step: Step) -> tuple[Block, ...]:
    """The blocks directly inside a step."""
    match step:
        case ChooseStep(branches=branches, otherwise=otherwise):
            return (*(b.block for b in branches), *((otherwise,) if otherwise else ()))
        case ForEachStep(block=block):
            return (block,)
        case ParallelStep(branches=named):
            return tuple(named.values())
        case TryStep(body=body, handlers=handlers, finally_=last):
            return (body, *(h.block for h in handlers), *((last,) if last else ()))
        case _:
            return ()
