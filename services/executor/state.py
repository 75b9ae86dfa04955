"""What the log of one execution says: results, effects, waits, people's answers, the end."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.executor.contract import (
    ApprovalDecided,
    ApprovalExpired,
    ApprovalReminded,
    ApprovalRequested,
    CancelRequested,
    EffectBegan,
    EffectEnded,
    EgressRefused,
    EventOffered,
    ExecutionFinished,
    ExecutionMigrated,
    ExecutionPaused,
    ExecutionProgressed,
    ExecutionReplayed,
    ExecutionResumed,
    ExecutionStarted,
    InputCollected,
    ReversalBegan,
    ReversalEnded,
    RollbackBegan,
    StartsCollected,
    UndoBegan,
    UndoEnded,
    UndoFact,
    WaitBegan,
    WaitEnded,
)  # fmt: skip
from services.executor.deciding import Approval


@dataclass(frozen=True, slots=True)
class Absent:
    """Nobody started it."""


@dataclass(slots=True)
class Effect:
    """One effect: how often it was tried, and what the last attempt came to."""

    attempt: int
    key: str
    connector: str
    request: str
    ended: EffectEnded | None = None
    snapshot: str | None = None


@dataclass(slots=True)
class Undoing:
    """An effect that can be undone, or a `child` waited for; in the order of completion."""

    fact: UndoFact | None
    child: str | None = None
    attempt: int = 0
    first_at: datetime | None = None
    ended: UndoEnded | None = None

    @property
    def over(self) -> bool:
        return self.ended is not None and self.ended.retry_at is None


@dataclass(slots=True)
class Sealed:
    """Where the value of a result is: one of the sealed values of an event (by number)
    or of a snapshot's stretch (by path)."""

    values: str
    index: int | str | None


@dataclass(slots=True)
class Going:
    """Started and not ended. Owned by whoever folded it; `evolve` carries it forward in place."""

    started: ExecutionStarted
    results: dict[str, Sealed] = field(default_factory=dict)
    effects: dict[str, Effect] = field(default_factory=dict)
    undos: dict[str, Undoing] = field(default_factory=dict)
    waits: dict[str, WaitBegan] = field(default_factory=dict)
    waits_ended: dict[str, str] = field(default_factory=dict)
    approvals: dict[str, Approval] = field(default_factory=dict)
    children: dict[str, str] = field(default_factory=dict)
    events_used: set[str] = field(default_factory=set)
    first_at: dict[str, datetime] = field(default_factory=dict)
    given_up: dict[str, ExecutionResumed] = field(default_factory=dict)
    tries_from: dict[str, int] = field(default_factory=dict)
    collected: list[str] = field(default_factory=list)
    collected_bytes: int = 0
    closed: bool = False
    paused: ExecutionPaused | None = None
    cancel: CancelRequested | None = None
    rollback: RollbackBegan | None = None
    steps: int = 0
    effects_seen: int = 0
    migrated: int | None = None
    finished: ExecutionFinished | None = None  # ended, and undone now as its parent is

    @property
    def version(self) -> int:
        """The version that it runs by."""
        return self.migrated or self.started.workflow_version


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing follows but its parent's rollback; `was` is what it was when it ended."""

    started: ExecutionStarted
    finished: ExecutionFinished
    cancel: CancelRequested | None = None
    was: Going | None = None


Execution = Absent | Going | Ended


def evolve(state: Execution, event: Any) -> Execution:
    match state, event:
        case Absent(), ExecutionStarted():
            return Going(event)
        case Going(), ExecutionFinished():
            return Ended(state.started, event, state.cancel, state)
        case Ended(was=Going() as was), ReversalBegan():
            was.finished = state.finished
            return was
        case Going(finished=ExecutionFinished() as finished), ReversalEnded():
            state.finished = None
            return Ended(state.started, finished, state.cancel, state)
        case Going(), _ if (change := CHANGES.get(type(event))) is not None:
            change(state, event)
            return state
        case Ended(), ExecutionReplayed():
            return state
        case _:
            raise ValueError(f"{type(event).__name__} can't follow in {type(state).__name__}")


def _progressed(state: Going, event: ExecutionProgressed) -> None:
    for index, result in enumerate(event.results):
        state.results[result.path] = Sealed(event.values, index)
    state.steps += len(event.results)


def _effect_began(state: Going, event: EffectBegan) -> None:
    state.effects[event.path] = Effect(
        event.attempt,
        event.idempotency_key,
        event.connector,
        event.request,
        snapshot=event.snapshot,
    )
    state.first_at.setdefault(event.path, event.first_at)
    state.effects_seen += 1


def _effect_ended(state: Going, event: EffectEnded) -> None:
    state.effects[event.path].ended = event
    if event.outcome == "done" and event.value is not None:
        state.results[event.path] = Sealed(event.value, None)
        state.steps += 1
    if event.undo is not None:
        state.undos[event.path] = Undoing(event.undo)


def _wait_began(state: Going, event: WaitBegan) -> None:
    state.waits[event.path] = event
    if event.began_at is not None:
        state.first_at[event.path] = event.began_at
    if event.execution_id is not None:
        state.children[event.path] = event.execution_id


def _wait_ended(state: Going, event: WaitEnded) -> None:
    state.waits.pop(event.path, None)
    state.waits_ended[event.path] = event.reason
    if event.reason == "cancelled" and event.path in state.approvals:
        state.approvals[event.path].cancelled = True
    if (child := state.children.get(event.path)) is not None:
        state.undos[event.path] = Undoing(None, child)
    if event.event_id is not None:
        state.events_used.add(event.event_id)


def _asked(state: Going, event: ApprovalRequested) -> None:
    state.approvals[event.path] = Approval(event)


def _decided(state: Going, event: ApprovalDecided) -> None:
    state.approvals[event.path].decisions.append(event)


def _reminded(state: Going, event: ApprovalReminded) -> None:
    state.approvals[event.path].reminders = event.reminder


def _expired(state: Going, event: ApprovalExpired) -> None:
    state.approvals[event.path].expired = True


def _paused(state: Going, event: ExecutionPaused) -> None:
    state.paused = event


def _resumed(state: Going, event: ExecutionResumed) -> None:
    state.paused = None
    if event.path is None:
        return
    if event.decision == "accept" and event.value is not None:
        state.results[event.path] = Sealed(event.value, None)
    elif event.decision == "fail":
        state.given_up[event.path] = event
    elif event.path in state.effects:
        state.tries_from[event.path] = state.effects[event.path].attempt


def _collected(state: Going, event: InputCollected) -> None:
    state.collected.append(event.input)
    state.collected_bytes += event.bytes


def _closed(state: Going, event: StartsCollected) -> None:
    state.closed = True


def _cancel(state: Going, event: CancelRequested) -> None:
    state.cancel = event


def _rollback(state: Going, event: RollbackBegan) -> None:
    state.rollback = event


def _undo_began(state: Going, event: UndoBegan) -> None:
    undoing = state.undos[event.path]
    undoing.attempt, undoing.ended = event.attempt, None
    undoing.first_at = undoing.first_at or event.first_at


def _undo_ended(state: Going, event: UndoEnded) -> None:
    state.undos[event.path].ended = event


def _migrated(state: Going, event: ExecutionMigrated) -> None:
    state.migrated = event.workflow_version


def _nothing(state: Going, event: Any) -> None:
    """Said for others; a running execution does not depend on it."""


CHANGES: dict[type[Any], Any] = {
    ExecutionProgressed: _progressed,
    EffectBegan: _effect_began,
    EffectEnded: _effect_ended,
    EgressRefused: _nothing,
    WaitBegan: _wait_began,
    WaitEnded: _wait_ended,
    EventOffered: _nothing,
    ApprovalRequested: _asked,
    ApprovalDecided: _decided,
    ApprovalReminded: _reminded,
    ApprovalExpired: _expired,
    ExecutionPaused: _paused,
    ExecutionResumed: _resumed,
    InputCollected: _collected,
    StartsCollected: _closed,
    CancelRequested: _cancel,
    RollbackBegan: _rollback,
    ReversalBegan: _nothing,
    ReversalEnded: _nothing,
    UndoBegan: _undo_began,
    UndoEnded: _undo_ended,
    ExecutionMigrated: _migrated,
    ExecutionReplayed: _nothing,
}
