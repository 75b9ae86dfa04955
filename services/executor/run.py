"""One execution in this process: drives the walk, collects facts, commits them in their order."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from libs.common.eventstore import rows, stream_of
from libs.common.messages import Event, Meta, Recorded
from libs.common.privacy import DataKey
from libs.language import format_rfc3339
from libs.language.document import Document, UsesStep, WaitStep
from services.executor import effects, waits
from services.executor.commit import LEASE_S, Committed, Decision
from services.executor.contract import (
    CancelRequested,
    ExecutionFinished,
    ExecutionProgressed,
    ExecutionStarted,
    ResultFact,
)  # fmt: skip
from services.executor.domain import (
    Absent,
    Ended,
    Going,
    Sealed,
    StepFailed,
    error_fact,
    evolve,
)  # fmt: skip
from services.executor.interpret import MISSING, Parked, Scope, Walk

log = logging.getLogger(__name__)
RESULTS_MAX = 100
FLUSH_S = 0.05
VALUE_BYTES_MAX = 262_144
PENDING_BYTES_MAX = 400_000


class Lost(Exception):
    """This process no longer holds the execution; somebody else goes on or went on."""


class Refused(Exception):
    """The start was not admitted: the quota is used up."""


class Duplicate(Exception):
    """The execution had been started before."""


class Around(Protocol):
    """What a run needs of the executor."""

    async def commit(self, decision: Decision) -> Committed: ...

    async def events_since(self, stream: str, version: int) -> list[Recorded]: ...

    async def evaluate(self, what: Any, scope: Scope, clock: str) -> Any: ...

    async def call(self, run: "Run", step: UsesStep, request: Any, key: str, attempt: int,
                   within_s: float) -> Any: ...  # fmt: skip

    async def renew(self, run: "Run") -> bool: ...

    def answer_end(self, run: "Run", finished: ExecutionFinished, inboxes: list[str],
                   output: Any) -> None: ...  # fmt: skip

    async def note_late(self, run: "Run", path: str, attempt: int) -> None: ...


class Run:
    """`Host` of a walk. Facts wait in `pending` until a commit takes them, one commit at a time."""

    def __init__(
        self, around: Around, org: str, execution: str, document: Document, key: DataKey,
        meta: Meta, *, started: ExecutionStarted | None = None, state: Going | None = None,
        version: int = 0, names: dict[str, Any],
    ) -> None:  # fmt: skip
        self.around, self.org, self.id, self.document = around, org, execution, document
        self.key, self.meta, self.names = key, meta, names
        self.stream = stream_of("execution", org, execution)
        self.state = state or Going(_the(started))
        self.version = version
        self.unsaid = started
        self.month: str | None = None
        self.allowed = 0
        self.reply: str | None = None
        self.wait_s = 0.0
        self.on_started: Callable[[], None] = lambda: None
        self.leased_until = time.monotonic() + LEASE_S
        self.began = time.monotonic()
        self.cancelling = self.leaving = False
        self._broken: Exception | None = None
        self.pending: list[Event] = []
        self._results: list[ResultFact] = []
        self._values: list[Any] = []
        self._values_bytes = 0
        self._flushed = time.monotonic()
        self._turn = asyncio.Lock()
        self._opened: dict[str, Any] = {}
        self._background: asyncio.Task[None] | None = None
        self._walk: asyncio.Task[Any] | None = None
        self.effects_count = len(self.state.effects)
        self.steps_count = self.state.steps

    # -- the host of the walk ---------------------------------------------------------------

    def now(self) -> datetime:
        return datetime.now(UTC)

    def recorded(self, path: str) -> Any:
        found = self.state.results.get(path)
        return MISSING if found is None else self._open(found)

    def _open(self, sealed: Sealed) -> Any:
        if sealed.values not in self._opened:
            if len(self._opened) > 32:
                self._opened.clear()
            self._opened[sealed.values] = self.key.open(sealed.values, self.stream)
        opened = self._opened[sealed.values]
        return opened if sealed.index is None else opened[sealed.index]

    def open(self, sealed: str) -> Any:
        return self.key.open(sealed, self.stream)

    def seal(self, value: Any) -> str:
        return self.key.seal(value, self.stream)

    async def evaluate(self, what: Any, scope: Scope, clock: datetime) -> Any:
        return await self.around.evaluate(what, scope, format_rfc3339(clock))

    async def note(self, path: str, kind: str, since: datetime, value: Any) -> None:
        self.note_now(path, kind, since, value)
        budget = self.document.budget_steps
        if budget is not None and self.steps_count > budget:
            raise StepFailed("budget-exceeded", f"more than {budget} steps", path)
        late = time.monotonic() - self._flushed > FLUSH_S and len(self._results) > 1
        if len(self._results) >= RESULTS_MAX or late or self._values_bytes > PENDING_BYTES_MAX:
            await self._flush_behind()

    def note_now(self, path: str, kind: str, since: datetime, value: Any) -> None:
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
        self._values_bytes += size
        self.steps_count += 1

    async def effect(self, step: UsesStep, path: str, scope: Scope) -> Any:
        return await effects.carry_out(self, step, path, scope)

    async def wait(self, step: WaitStep, path: str, scope: Scope) -> Any:
        return await waits.wait(self, step, path, scope)

    # -- committing ---------------------------------------------------------------------------

    async def _flush_behind(self) -> None:
        """Commits what there is without holding the walk up; two at once never."""
        self._flushed = time.monotonic()
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
        self, *events: Event, op: str = "keep", due_s: float = 0.0, leased: bool = True
    ) -> Committed:
        """Commits everything pending and `events`; returns when it is durable.

        Raises Lost, Duplicate (the start had come before), Refused (no quota).
        """
        self.pending.extend(events)
        async with self._turn:
            self._flushed = time.monotonic()
            if self._broken is not None:
                raise self._broken
            batch, first = self._take()
            if not batch and op == "keep" and leased:
                return Committed("won")
            while True:
                done = await self.around.commit(self._decision(batch, op, due_s, leased))
                if done.status == "won":
                    break
                if done.status == "quota":
                    raise Refused
                if first:
                    raise Duplicate
                await self._meanwhile(batch)
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
            self._results, self._values, self._values_bytes = [], [], 0
        batch += self.pending
        self.pending = []
        return batch, first

    def _decision(self, batch: list[Event], op: str, due_s: float, leased: bool) -> Decision:
        first = self.version == 0
        return Decision(
            self.stream, self.id, self.org, rows(self.stream, self.version + 1, batch, self.meta),
            op, due_s, LEASE_S if leased else 0.0, self.reply if first else None,
            self.wait_s, self.month if first else None, self.allowed,
        )  # fmt: skip

    def _carried(self, batch: list[Event], leased: bool) -> None:
        self.version += len(batch)
        for event in batch:
            if not isinstance(event, ExecutionStarted | ExecutionProgressed | ExecutionFinished):
                evolve(self.state, event)
        if leased:
            self.leased_until = time.monotonic() + LEASE_S

    async def _meanwhile(self, batch: list[Event]) -> None:
        """Somebody wrote first: a cancel is taken in, anything else means that we lost it."""
        came = await self.around.events_since(self.stream, self.version)
        for recorded in came:
            event = recorded.event()
            if not isinstance(event, CancelRequested):
                for late in batch:
                    if isinstance(late, effects.EffectEnded):
                        await self.around.note_late(self, late.path, late.attempt)
                raise Lost
            evolve(self.state, event)
            self.version += 1
        self.begin_cancel()

    # -- the life of the run --------------------------------------------------------------------

    @property
    def committing(self) -> bool:
        return self._turn.locked()

    def begin_cancel(self) -> None:
        if not self.cancelling and self.state.cancel is not None:
            self.cancelling = True
            if self._walk is not None:
                self._walk.cancel()

    async def look_again(self) -> None:
        """A renewal or a signal says that the stream went on: reads what came."""
        async with self._turn:
            try:
                await self._meanwhile([])
            except Lost:
                self.abandon()

    def leave(self) -> None:
        """The process ends: what is known is committed and the lease given back."""
        self.leaving = True
        if self._walk is not None:
            self._walk.cancel()

    def abandon(self) -> None:
        """The lease is gone: whatever is under way is cut, nothing is recorded."""
        self.leased_until = 0.0
        if self._walk is not None:
            self._walk.cancel()

    async def go(self) -> None:
        """Runs until the end, until it parks, or until it is lost. Raises Duplicate, Refused."""
        try:
            if self.state.cancel is not None:
                await self._finish("cancelled", None, None)
                return
            await self._go()
        except Lost:
            log.info("execution lost", extra={"execution": self.id})
        finally:
            if self._background is not None:
                self._background.cancel()

    async def _go(self) -> None:
        walk = Walk(self)
        self._walk = asyncio.create_task(walk.block(self.document.block, self.names, ""))
        try:
            async with asyncio.timeout(self._time_left()):
                output = await self._walk
        except Parked as parked:
            due_s = max(0.0, (parked.due - self.now()).total_seconds())
            await self.flush(due_s=min(due_s, self._time_left() or due_s), leased=False)
        except StepFailed as failure:
            await self._settled()
            await self._finish("failed", failure, None)
        except TimeoutError:
            await self._finish("failed", StepFailed("timeout", "the execution took too long"), None)
        except asyncio.CancelledError:
            await self._settled()
            if self.leaving:
                await self.flush(due_s=0.0, leased=False)
            elif self.cancelling:
                await self._finish("cancelled", None, None)
            else:
                raise Lost from None
        else:
            await self._settled()
            await self._finish("succeeded", None, output)

    async def _settled(self) -> None:
        if self._background is not None:
            await self._background

    def _time_left(self) -> float | None:
        if self.document.timeout_s is None:
            return None
        started = datetime.fromisoformat(self.names["execution"]["started_at"])
        return max(0.01, self.document.timeout_s - (self.now() - started).total_seconds())

    async def _finish(self, outcome: Any, failure: StepFailed | None, output: Any) -> None:
        """The end: rest of the results, the outcome, and an answer to everybody who waits."""
        try:
            body = self._output(output) if outcome == "succeeded" else None
        except StepFailed as too_large:
            outcome, failure, body = "failed", too_large, None
        if self.state.cancel is not None and outcome != "cancelled":
            outcome, failure, body = "cancelled", None, None
        results, values = self._results, self._values
        self._results, self._values = [], []
        finished = ExecutionFinished.model_construct(
            workflow_id=self.state.started.workflow_id, outcome=outcome, rollback="none",
            error=failure and error_fact(failure, self.seal(failure.message)), results=results,
            values=self.seal(values) if results else None,
            output=self.key.seal_bytes(body, self.stream) if body is not None else None,
            output_bytes=len(body or b""), duration_ms=self._duration_ms(),
            steps_count=self.steps_count, effects_count=self.effects_count,
        )  # fmt: skip
        done = await self.flush(finished, op="end", leased=False)
        self.around.answer_end(self, finished, done.replies, output)

    def _output(self, output: Any) -> bytes:
        body = msgspec.json.encode(output)
        if len(body) > VALUE_BYTES_MAX:
            raise StepFailed(
                "output-too-large",
                f"output of {len(body)} bytes; limit value_bytes {VALUE_BYTES_MAX}",
            )
        return body

    def _duration_ms(self) -> int:
        started = datetime.fromisoformat(self.names["execution"]["started_at"])
        return max(0, int((self.now() - started).total_seconds() * 1000))


def _the(started: ExecutionStarted | None) -> ExecutionStarted:
    assert started is not None, "a run begins with its start or with its history"
    return started


def going(recorded: list[Recorded]) -> Going | Ended | Absent:
    """The state that the events of a stream make."""
    state: Any = Absent()
    for one in recorded:
        state = evolve(state, one.event())
    return state
