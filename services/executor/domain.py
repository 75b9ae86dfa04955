"""What people may ask of one execution, and which facts follow from it."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.common.decider import Decider
from libs.common.errors import NotFound
from libs.common.messages import Event
from services.executor.contract import (
    ApprovalClosed,
    CancelRequested,
    EventOffered,
    ExecutionEnded,
    ExecutionMigrated,
    ExecutionPaused,
    ExecutionReplayed,
    ExecutionResumed,
    InputCollected,
    NotPaused,
    ReversalBegan,
)  # fmt: skip
from services.executor.deciding import Decide, decided
from services.executor.state import Absent, Ended, Execution, Going, evolve

__all__ = ["Absent", "Ended", "Execution", "Going", "evolve"]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Somebody wants it to end; in an ended one nothing happens."""

    rollback: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class Pause:
    """Hold before the next step."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on; `decision` is about the step that paused it, `value` (sealed) for `accept`."""

    decision: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Offer:
    """An event that a wait of the execution may be for."""

    event_id: str
    event_type: str


@dataclass(frozen=True, slots=True)
class Collect:
    """One more input (sealed) within the debounce window."""

    call: str
    input: str
    bytes: int
    inputs_max: int
    bytes_max: int
    window_s: float
    max_s: float | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """It was replayed as another execution, whatever became of it."""

    replay: str
    from_step: str | None
    version: int


@dataclass(frozen=True, slots=True)
class Migrate:
    """Go on with another version, which was found to fit."""

    version: int


@dataclass(frozen=True, slots=True)
class Reverse:
    """Its parent, which waited for it, is rolled back: so are its own effects."""

    parent: str


Command = Cancel | Pause | Resume | Decide | Offer | Collect | Replayed | Migrate | Reverse


def decide(command: Command, state: Execution) -> Sequence[Event]:
    if isinstance(state, Going) and state.finished is not None and not isinstance(command, Reverse):
        state = Ended(state.started, state.finished, state.cancel, state)
    match command, state:
        case _, Absent():
            raise NotFound()
        case Reverse(), Ended(was=Going(undos=undos)):
            left = any(not one.over for one in undos.values())
            return [ReversalBegan(parent_id=command.parent)] if left else []
        case Reverse(), _:
            return []
        case Replayed(), Going() | Ended():
            return [ExecutionReplayed(
                replay_id=command.replay, from_step=command.from_step,
                workflow_version=command.version,
            )]  # fmt: skip
        case Cancel(), Going(cancel=None):
            return [CancelRequested(rollback=command.rollback, reason=command.reason)]
        case Cancel() | Offer() | Collect(), Ended():
            return []
        case Collect(), Going():
            full = len(state.collected) + 1 >= command.inputs_max
            full = full or state.collected_bytes + command.bytes > command.bytes_max
            if full or state.closed or state.cancel is not None:
                return []
            return [InputCollected(
                call_id=command.call, input=command.input, bytes=command.bytes
            )]  # fmt: skip
        case Cancel(), Going():
            return []
        case Offer(), Going():
            return [EventOffered(event_id=command.event_id, event_type=command.event_type)]
        case Decide(), Ended():
            raise ApprovalClosed("the execution has ended")
        case _, Ended():
            raise ExecutionEnded("the execution has ended")
        case Migrate(), Going():
            if command.version == state.version:
                return []
            return [ExecutionMigrated(
                from_version=state.version, workflow_version=command.version
            )]  # fmt: skip
        case Pause(), Going():
            if state.cancel is not None or state.rollback is not None:
                raise ExecutionEnded("the execution is ending")
            if state.paused is not None:
                return []
            return [ExecutionPaused(cause="person", path=None, reason=command.reason)]
        case Resume(), Going():
            return [_resumed(command, state)]
        case Decide(), Going():
            return [decided(command, state.approvals.values())]


def _resumed(command: Resume, state: Going) -> ExecutionResumed:
    if (paused := state.paused) is None:
        raise NotPaused("the execution is not paused")
    decision = command.decision
    if paused.path is None and decision != "go-on":
        raise NotPaused("no step paused it, so there is nothing to retry, fail or accept")
    if paused.path is not None and decision == "go-on":
        decision = "retry"
    return ExecutionResumed.model_validate(
        {"decision": decision, "path": paused.path, "value": command.value}
    )


execution: Decider[Command, Execution] = Decider(Absent(), decide, evolve)
