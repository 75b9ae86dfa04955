"""The facts of one execution on their way into the log: gathered, sealed, committed in order."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import msgspec

from libs.common import clock
from libs.common.eventstore import rows, stream_of
from libs.common.messages import Event, Meta, Recorded
from libs.common.privacy import DataKey
from services.executor.collecting import counted
from services.executor.commit import LEASE_S, Admission, Committed, Decision
from services.executor.contract import (
    ApprovalDecided,
    CancelRequested,
    EffectEnded,
    EventOffered,
    ExecutionFinished,
    ExecutionPaused,
    ExecutionProgressed,
    ExecutionReplayed,
    ExecutionResumed,
    ExecutionStarted,
    InputCollected,
    ResultFact,
    WaitBegan,
    WaitEnded,
)  # fmt: skip
from services.executor.failure import StepFailed
from services.executor.state import Going, Sealed, evolve

VALUE_BYTES_MAX = 262_144
EVENT_BYTES_MAX = 400_000
# What others may write into the stream while it runs here; anything else means that it is lost.
SIGNALS = (
    CancelRequested, ExecutionPaused, ExecutionResumed, ApprovalDecided, EventOffered,
    InputCollected, ExecutionReplayed,
)  # fmt: skip
NOT_IN_STATE = (ExecutionStarted, ExecutionProgressed, ExecutionFinished)


class Lost(Exception):
    """This process no longer holds the execution; somebody else goes on or went on."""


class Refused(Exception):
    """The start was not admitted: `why` is quota, busy, rate, or collected (by `by`)."""

    def __init__(self, why: str, by: str | None = None) -> None:
        super().__init__(why)
        self.why, self.by = why, by


class Duplicate(Exception):
    """The execution had been started before."""


class Committing(Protocol):
    """What committing needs of the executor."""

    async def commit(self, decision: Decision) -> Committed: ...

    async def events_since(self, stream: str, version: int) -> list[Recorded]: ...

    async def note_late(self, org: str, execution: str, path: str, attempt: int) -> None: ...


class Facts:
    """Facts wait in `pending`, results in a batch of their own; one commit at a time."""

    def __init__(
        self, around: Committing, org: str, execution: str, key: DataKey, meta: Meta, state: Going,
        version: int, unsaid: ExecutionStarted | None,
    ) -> None:  # fmt: skip
        self.around, self.org, self.id = around, org, execution
        self.key, self.meta, self.state, self.version = key, meta, state, version
        self.stream = stream_of("execution", org, execution)
        self.unsaid = unsaid
        self.admission = Admission()
        self.reply: str | None = None
        self.wait_s = 0.0
        self.let_go()
        self.leased_until = time.monotonic() + LEASE_S
        self.news = False
        self.pending: list[Event] = []
        self.steps_count = state.steps
        self.flushed_at = time.monotonic()
        self._results: list[ResultFact] = []
        self._values: list[Any] = []
        self.values_bytes = 0
        self._turn = asyncio.Lock()
        self._broken: Exception | None = None
        self._background: asyncio.Task[None] | None = None
        self._opened: dict[str, Any] = {}

    def let_go(self) -> None:
        """Nobody is told any more: without rings of references it is freed at once."""
        self.on_started: Callable[[], None] = _nothing
        self.on_cancel: Callable[[], None] = _nothing
        self.on_carried: Callable[[], None] = _nothing

    @property
    def waiting(self) -> int:
        """Results that no commit has taken yet."""
        return len(self._results)

    @property
    def full(self) -> bool:
        """Whether what waits fills an event."""
        return self.values_bytes > EVENT_BYTES_MAX

    @property
    def committing(self) -> bool:
        return self._turn.locked()

    def now(self) -> datetime:
        return clock.now()

    def open(self, sealed: str) -> Any:
        return self.key.open(sealed, self.stream)

    def seal(self, value: Any) -> str:
        return self.key.seal(value, self.stream)

    def open_result(self, sealed: Sealed) -> Any:
        """A recorded result; the values of one commit are opened together and kept for a while."""
        if sealed.values not in self._opened:
            if len(self._opened) > 32:
                self._opened.clear()
            self._opened[sealed.values] = self.open(sealed.values)
        opened = self._opened[sealed.values]
        return opened if sealed.index is None else opened[sealed.index]

    def tell(self, *events: Event) -> None:
        """Facts that travel with the next commit."""
        self.pending.extend(events)

    def note_now(self, path: str, kind: str, since: datetime, value: Any) -> None:
        """A result of a pure step; it travels with the next commit."""
        size = len(msgspec.json.encode(value))
        if size > VALUE_BYTES_MAX:
            raise StepFailed(
                "output-too-large", f"value of {size} bytes; limit value_bytes {VALUE_BYTES_MAX}",
                path,
            )  # fmt: skip
        self._results.append(
            ResultFact.model_construct(
                path=path, kind=kind, status="done", started_at=since, ended_at=self.now(),
                bytes=size,
            )
        )  # fmt: skip
        self._values.append(value)
        self.values_bytes += size
        self.steps_count += 1

    async def flush_behind(self) -> None:
        """Commits what there is without holding the walk up; two at once never."""
        self.flushed_at = time.monotonic()
        if self._background is not None:
            await self._background
        self._background = asyncio.create_task(self._flush_quietly())

    async def _flush_quietly(self) -> None:
        """What goes wrong here is met again by the next commit."""
        try:
            await self.flush()
        except (Lost, Refused, Duplicate) as error:
            self._broken = error

    async def flush(
        self, *events: Event, op: str = "keep", due_s: float = 0.0, leased: bool = True,
        closes: bool = False,
    ) -> Committed:  # fmt: skip
        """Commits everything pending and `events`; returns when it is durable.

        One that gives the lease back is not made when somebody wrote meanwhile: its status is
        then `news`, and what was to be committed waits for the next one.
        Raises Lost, Duplicate (the start had come before), Refused (no quota).
        """
        async with self._turn:
            self.pending.extend(events)
            self.flushed_at = time.monotonic()
            if self._broken is not None:
                raise self._broken
            batch, first = self._take()
            if not batch and op == "keep" and leased:
                return Committed("won")
            while True:
                done = await self.around.commit(self._decision(batch, op, due_s, leased, closes))
                if done.status == "won":
                    break
                if first and done.status != "lost":
                    raise Refused(done.status, done.by)
                if first:
                    raise Duplicate
                before = self.version
                await self.meanwhile(batch)
                batch = [counted(event, self.state) for event in batch]
                if not batch and self.version == before:
                    raise Lost
                if op == "keep" and not leased:
                    self.pending = batch + self.pending
                    return Committed("news")
        self._carried(batch, leased)
        if first:
            self.on_started()
        if done.queued:
            raise Lost
        return done

    def _take(self) -> tuple[list[Event], bool]:
        batch: list[Event] = []
        first = self.unsaid is not None
        if self.unsaid is not None:
            batch.append(self.unsaid)
            self.unsaid = None
        if self._results:
            batch.append(
                ExecutionProgressed.model_construct(
                    results=self._results, values=self.seal(self._values),
                    budget_used=self.steps_count,
                )
            )  # fmt: skip
            self._results, self._values, self.values_bytes = [], [], 0
        batch += self.pending
        self.pending = []
        return batch, first

    def _decision(
        self, batch: list[Event], op: str, due_s: float, leased: bool, closes: bool
    ) -> Decision:
        first = self.version == 0
        parent = self.state.started.parent
        return Decision(
            self.stream, self.id, self.org, rows(self.stream, self.version + 1, batch, self.meta),
            op, due_s, LEASE_S if leased else 0.0, self.reply if first else None,
            self.wait_s, self.admission if first else None, closes, self.version,
            parent.execution_id if op == "end" and parent is not None else None,
            cancels=self._children_dropped(batch),
        )  # fmt: skip

    def _children_dropped(self, batch: list[Event]) -> list[str]:
        """Sub-workflows that nobody waits for any more: they are asked to end by this commit."""
        dropped = [e.path for e in batch if isinstance(e, WaitEnded) and e.reason == "cancelled"]
        if not dropped:
            return []
        begun = {e.path: e.execution_id for e in batch if isinstance(e, WaitBegan)}
        children = [begun.get(path) or self.state.children.get(path) for path in dropped]
        return [child for child in children if child is not None]

    def _carried(self, batch: list[Event], leased: bool) -> None:
        self.version += len(batch)
        for event in batch:
            if not isinstance(event, NOT_IN_STATE):
                evolve(self.state, event)
        if leased:
            self.leased_until = time.monotonic() + LEASE_S
            self.on_carried()

    async def meanwhile(self, batch: list[Event]) -> None:
        """Somebody wrote first: a signal is taken in, anything else means that we lost it."""
        came = await self.around.events_since(self.stream, self.version)
        for recorded in came:
            event = recorded.event()
            if not isinstance(event, SIGNALS):
                for late in batch:
                    if isinstance(late, EffectEnded):
                        await self.around.note_late(self.org, self.id, late.path, late.attempt)
                raise Lost
            evolve(self.state, event)
            self.version += 1
            self.news = True
        if self.state.cancel is not None:
            self.on_cancel()

    def take_results(self) -> tuple[list[ResultFact], list[Any]]:
        """What no commit has taken yet, for the end of the execution to carry."""
        taken = (self._results, self._values)
        self._results, self._values, self.values_bytes = [], [], 0
        return taken

    async def settled(self) -> None:
        """Waits for a commit in the background."""
        if self._background is not None:
            await self._background

    async def look_again(self) -> None:
        """Somebody wrote into the stream: reads what came. Raises Lost."""
        async with self._turn:
            await self.meanwhile([])


def _nothing() -> None:
    """What is called when nobody waits for it."""
