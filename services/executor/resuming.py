"""Executions that were claimed become runs again: from their snapshots and the events behind."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from libs.common.database import LOST
from libs.common.errors import DomainError
from libs.common.eventstore import stream_of
from libs.common.messages import Meta, Recorded
from libs.common.privacy import Forgotten
from libs.language import WorkerFault
from libs.language.check import parse
from services.executor import snapshots
from services.executor.contract import ExecutionStarted
from services.executor.leases import Claimed
from services.executor.places import Places
from services.executor.run import Run
from services.executor.snapshots import EVERY_EVENTS, Stretch
from services.executor.state import Absent, Going, evolve

if TYPE_CHECKING:
    from services.executor.engine import Engine

log = logging.getLogger(__name__)


class Resuming:
    """One per process; a part of the engine."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._store = engine.store
        self.coming: set[str] = set()
        """Claimed, and not a run yet: they have their places."""

    async def claimed(self, claimed: list[Claimed]) -> None:
        """Reads what is known of them with two or three queries, then carries each."""
        names = {one.execution for one in claimed}
        self.coming |= names
        try:
            await self._begin(claimed)
        except BaseException:
            self.coming -= names
            raise

    async def _begin(self, claimed: list[Claimed]) -> None:
        async with self._engine.service.database.hot.connection() as connection:
            kept = await snapshots.read(connection, [c.execution for c in claimed])
            histories = await self._histories(connection, claimed, kept)
        for one in claimed:
            upto, stretches = kept.get(one.execution, (0, []))
            self._engine.spawn(self._resume(one, histories[one.execution], upto, stretches))

    async def _histories(
        self, connection: Any, claimed: list[Claimed], kept: dict[str, tuple[int, list[Stretch]]]
    ) -> dict[str, list[Recorded]]:
        histories: dict[str, list[Recorded]] = {c.execution: [] for c in claimed}
        whole = [stream_of("execution", c.org, c.execution) for c in claimed
                 if c.execution not in kept]  # fmt: skip
        found = await self._store.select(
            connection, "where stream = any(%s) order by stream, version", (whole,)
        ) if whole else []  # fmt: skip
        for one in claimed:
            if one.execution in kept:
                found += await self._store.select(
                    connection, "where stream = %s and (version = 1 or version > %s)"
                    " order by version",
                    (stream_of("execution", one.org, one.execution), kept[one.execution][0]),
                )  # fmt: skip
        for recorded in found:
            histories[recorded.subject.rpartition("-")[2]].append(recorded)
        return histories

    async def _resume(
        self, claimed: Claimed, history: list[Recorded], upto: int, stretches: Sequence[Stretch]
    ) -> None:
        run = None
        try:
            if claimed.execution not in self._engine.runs:
                run = await self._run(claimed, history, stretches)
                if run is None:
                    await self._drop_timer(claimed.execution)
        except (DomainError, *LOST) as error:
            log.warning("resume waits", extra={
                "execution": claimed.execution, "cause": type(error).__name__})  # fmt: skip
        finally:
            self.coming.discard(claimed.execution)
        if run is None:
            self._engine.left()
            return
        log.info("execution resumed", extra={"execution": run.id, "at_version": run.version})
        await self._engine.carry(run, upto)

    async def _run(
        self, claimed: Claimed, history: list[Recorded], stretches: Sequence[Stretch]
    ) -> Run | None:
        state = _state(history, stretches)
        if not isinstance(state, Going):
            return None
        started = state.started
        try:
            key = await self._engine.service.keys.key(claimed.org, "executions")
        except Forgotten:
            return None
        stream = stream_of("execution", claimed.org, claimed.execution)
        if (draft := started.draft) is not None:
            document = parse(key.open(draft.document, stream))
        else:
            found = await self._engine.documents.find(
                claimed.org, workflow=started.workflow_id, version=state.version
            )
            if found is None:
                raise WorkerFault("the version that it runs by is nowhere")
            document = found.document
        first = history[0]
        meta = Meta.system(
            "executor", claimed.org, request_id=first.requestid or "",
            causation_id=history[-1].id, origin=first.origin, traceparent=first.traceparent,
        )  # fmt: skip
        names = key.open(started.input, stream)
        if state.migrated is not None:
            names["workflow"]["version"] = state.migrated
        run = Run(
            self._engine, claimed.org, claimed.execution, document, key, meta, state=state,
            version=history[-1].streamversion, names=names,
        )  # fmt: skip
        if draft is not None and draft.pins is not None:
            run.pins = key.open(draft.pins, stream)
        return run

    async def _drop_timer(self, execution: str) -> None:
        async with self._engine.service.database.hot.connection() as connection:
            await connection.execute("delete from timers where execution = %s", (execution,))

    # -- snapshots ------------------------------------------------------------------------------

    async def drop_snapshots(self, execution: str) -> None:
        """Nothing is resumed any more."""
        try:
            async with self._engine.service.database.hot.connection() as connection:
                await connection.execute("delete from snapshots where execution = %s", (execution,))
        except LOST as error:
            log.warning("snapshots stay", extra={"cause": type(error).__name__})

    def watch(self, run: Run, snapshot_at: int) -> None:
        """From here on every so many events of the run become a snapshot, behind its back."""
        at, busy, places = snapshot_at, False, None

        async def keep(upto: int) -> None:
            nonlocal at, busy, places
            places = places or Places(run.document)
            try:
                async with self._engine.service.database.hot.connection() as connection:
                    stretch = await self._store.select(
                        connection, "where stream = %s and version > %s and version <= %s"
                        " order by version", (run.stream, at, upto),
                    )  # fmt: skip
                    kept = snapshots.keep(run, places, stretch)
                    await snapshots.write(connection, run, upto, kept)
                at = upto
            except LOST as error:
                log.warning("no snapshot", extra={"cause": type(error).__name__})
            finally:
                busy = False

        def carried() -> None:
            nonlocal busy
            if not busy and run.version - at >= EVERY_EVENTS:
                busy = True
                self._engine.spawn(keep(run.version))

        run.on_carried = carried


def _state(history: list[Recorded], stretches: Sequence[Stretch]) -> Any:
    """The state that snapshots and the events behind them make."""
    state: Any = Absent()
    rest = history
    if stretches and history:
        started = history[0].event()
        assert isinstance(started, ExecutionStarted), "the first event is the start"
        state, rest = snapshots.restored(started, stretches), history[1:]
    for one in rest:
        state = evolve(state, one.event())
    return state
