"""What a walk needs of the execution around it, and how a walk stops before its end."""

from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from libs.language import ExpressionError
from libs.language.steps import (
    ApprovalStep,
    Block,
    ForEachStep,
    Pages,
    PythonStep,
    Step,
    TryStep,
    UsesStep,
    WaitStep,
    WorkflowStep,
    blocks_in,
)  # fmt: skip
from services.executor.failure import StepFailed

MISSING: Any = object()
NEVER = datetime(9000, 1, 1, tzinfo=UTC)
Scope = Mapping[str, Any]
Within = tuple[frozenset[str], str]  # steps by id, and the numbers of the loops around them
# What may begin: whatever comes; nothing, in a branch that is called off; all of a `finally` of
# what is cut.
Stage = Literal["going", "called-off", "last-things"]
STAGE: ContextVar[Stage] = ContextVar("stage", default="going")


class Parked(Exception):
    """Nothing can be done before `due`; nothing of the walk has to be kept in memory."""

    def __init__(self, due: datetime = NEVER) -> None:
        super().__init__()
        self.due = due


class Cut(Exception):
    """The execution is cancelled, or its branch called off: nothing new begins but `finally`."""


class Host(Protocol):
    """What the walk needs of the execution around it."""

    @property
    def holding(self) -> bool:
        """Whether this process still speaks for the execution and stays."""
        ...

    def recorded(self, path: str) -> Any:
        """The recorded result of a step or item, or MISSING."""
        ...

    def now(self) -> datetime: ...

    def may_begin(self) -> None:
        """Raises Cut or Parked when nothing new may begin (cancel, pause)."""
        ...

    async def evaluate(self, what: Any, scope: Scope, clock: datetime) -> Any:
        """An expression's or a value's result; ExpressionError when it has none."""
        ...

    async def note(self, path: str, kind: str, since: datetime, value: Any) -> None:
        """Records a result; it travels with the next commit."""
        ...

    async def act(self, step: Step, path: str, scope: Scope) -> Any:
        """The result of a step that reaches outside or waits; Parked until it is there."""
        ...

    async def page(self, pages: Pages, path: str, scope: Scope) -> Any:
        """The answer with one page of a source; an effect of its own."""
        ...

    async def undo(self, within: Within) -> None:
        """Undoes the completed effects of these steps at a place, in reverse order."""
        ...

    def drop(self, within: Within) -> object:
        """Nobody waits any more for what these steps at a place wait for."""
        ...

    def begun(self, within: Within) -> bool:
        """Whether one of these steps at a place has done, sent or asked anything."""
        ...

    async def catch_up(self) -> None:
        """What this process has found out is committed and `recorded`: it can be walked again."""
        ...


def expression_failed(error: ExpressionError, path: str | None) -> StepFailed:
    code = error.code if error.code.startswith("expression") else f"expression-{error.code}"
    failure = StepFailed(code, str(error), path)
    failure.column = error.column
    return failure


ACTING = (UsesStep, WaitStep, ApprovalStep, WorkflowStep, PythonStep)


def pure(block: Block) -> bool:
    """Whether nothing in the block waits or reaches outside."""
    return not any(
        isinstance(step, ACTING)
        or (isinstance(step, ForEachStep) and isinstance(step.items, Pages))
        or not all(pure(inner) for inner in blocks_in(step))
        for step in block.steps
    )


def ids_in(block: Block) -> frozenset[str]:
    """The ids of all steps inside a block, however deep."""
    found: set[str] = set()
    waiting = [block]
    while waiting:
        for step in waiting.pop().steps:
            found.add(step.id)
            waiting.extend(blocks_in(step))
    return frozenset(found)


def is_in(path: str, within: Within | None) -> bool:
    """Whether a path is of one of these steps at that place; None: of any."""
    if within is None:
        return True
    ids, place = within
    name = path.partition("[")[0].partition(".")[0].partition("#")[0]
    rest = path.partition("[")[2]
    return name in ids and (not place or f"[{rest}".startswith(place))


def has_finally(block: Block) -> bool:
    """Whether something in the block has to run although it is cut."""
    return any(
        (isinstance(step, TryStep) and step.finally_ is not None)
        or any(has_finally(inner) for inner in blocks_in(step))
        for step in block.steps
    )


def kind_of(value: Any) -> str:
    names = {dict: "object", list: "list", str: "text", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
