"""What is written into an execution's stream from outside: by people, children and events."""

from typing import TYPE_CHECKING

from libs.common import clock
from libs.common.errors import NotFound
from libs.common.eventstore import rows, stream_of
from libs.common.messages import Meta, Recorded
from services.executor.commit import Decision
from services.executor.contract import ExecutionFinished, ExecutionReplayed, ReversalEnded
from services.executor.domain import Cancel, Collect, Command, Replayed, execution

if TYPE_CHECKING:
    from services.executor.engine import Engine

SUBJECT = "executor.relay.signal"


async def signal(engine: "Engine", execution_id: str, command: Command, meta: Meta) -> bool:
    """Decides a command about an execution of the organization and tells whoever runs it.

    Whether it changed anything; a parked execution is due at once. Raises what `decide` raises.
    """
    stream = stream_of("execution", meta.organization, execution_id)
    while True:
        events = await history(engine, meta, execution_id)
        decided = execution.decide(command, execution.fold([e.event() for e in events]))
        if not decided:
            return False
        op, due_s = _timer(command, events[0])
        made = await engine.committer.commit(
            Decision(
                stream, execution_id, meta.organization,
                rows(stream, len(events) + 1, decided, meta), op, due_s,
            )
        )  # fmt: skip
        if made.status == "won":
            await engine.bus.nc.publish(SUBJECT, execution_id.encode())
            engine.leases.wake.set()
            return True


def _timer(command: Command, first: Recorded) -> tuple[str, float]:
    """What becomes of the execution's timer: due now, or, while it gathers inputs, later."""
    if isinstance(command, Cancel):
        return "cancel", 0.0
    if isinstance(command, Replayed):
        return "none", 0.0
    if not isinstance(command, Collect):
        return "wake", 0.0
    left_s = command.window_s
    if command.max_s is not None:
        gone_s = (clock.now() - first.time).total_seconds()
        left_s = max(0.0, min(left_s, command.max_s - gone_s))
    return "due", left_s


async def history(engine: "Engine", meta: Meta, execution_id: str) -> list[Recorded]:
    """The events of an execution of the caller's organization, or NotFound.

    Only what has ended can be forgotten; of others nobody asks.
    """
    found = await engine.store.load(stream_of("execution", meta.organization, execution_id))
    if not found:
        raise NotFound()
    ended = found[-1].type in (ExecutionFinished.type, ExecutionReplayed.type, ReversalEnded.type)
    if ended and await forgotten(engine, execution_id):
        raise NotFound()
    return found


async def forgotten(engine: "Engine", execution_id: str) -> bool:
    """Whether somebody had it forgotten, and its events only wait to leave the log."""
    async with engine.service.database.hot.connection() as connection:
        cursor = await connection.execute(
            "select 1 from forgotten where execution = %s", (execution_id,)
        )
        return await cursor.fetchone() is not None
