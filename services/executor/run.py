"""One execution in this process: walks its document, does its effects, ends or parks it."""

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from libs.common.messages import Meta, Recorded
from libs.common.privacy import DataKey
from libs.language import ExpressionError, format_rfc3339
from libs.language.document import Document, UsesStep, WaitStep
from libs.language.unrun import explained
from services.executor import effects, waits
from services.executor.contract import ExecutionFinished, ExecutionStarted
from services.executor.documents import OpenedSecret
from services.executor.domain import Absent, Ended, Going, StepFailed, error_fact, evolve
from services.executor.facts import (
    EVENT_BYTES_MAX,
    VALUE_BYTES_MAX,
    Committing,
    Facts,
    Lost,
)  # fmt: skip
from services.executor.interpret import MISSING, Parked, Scope, Walk

log = logging.getLogger(__name__)
RESULTS_MAX = 100
FLUSH_S = 0.05


class Around(Committing, Protocol):
    """What a run needs of the executor."""

    async def evaluate(self, what: Any, scope: Scope, clock: str) -> Any: ...

    async def secrets(self, org: str, names: list[str]) -> dict[str, OpenedSecret]: ...

    async def call(self, run: "Run", step: UsesStep, request: Any, key: str, attempt: int,
                   within_s: float, secrets: dict[str, OpenedSecret]) -> Any: ...  # fmt: skip

    async def renew(self, run: "Run") -> bool: ...

    def answer_end(self, run: "Run", finished: ExecutionFinished, inboxes: list[str],
                   output: Any) -> None: ...  # fmt: skip


class Run(Facts):
    """`Host` of a walk: gives it what was recorded, and takes what it finds out."""

    around: Around

    def __init__(
        self, around: Around, org: str, execution: str, document: Document, key: DataKey,
        meta: Meta, *, started: ExecutionStarted | None = None, state: Going | None = None,
        version: int = 0, names: dict[str, Any],
    ) -> None:  # fmt: skip
        state = state or Going(_the(started))
        super().__init__(around, org, execution, key, meta, state, version, started)
        self.document, self.names = document, names
        self.on_cancel = self.begin_cancel
        self.cancelling = self.leaving = self.ended = False
        self._walk: asyncio.Task[Any] | None = None
        self.effects_count = len(self.state.effects)

    # -- the host of the walk ---------------------------------------------------------------

    def now(self) -> datetime:
        return datetime.now(UTC)

    def recorded(self, path: str) -> Any:
        found = self.state.results.get(path)
        return MISSING if found is None else self.open_result(found)

    async def evaluate(self, what: Any, scope: Scope, clock: datetime) -> Any:
        try:
            return await self.around.evaluate(what, scope, format_rfc3339(clock))
        except ExpressionError as error:
            raise explained(error, what, self.document.block, scope) from None

    async def note(self, path: str, kind: str, since: datetime, value: Any) -> None:
        self.note_now(path, kind, since, value)
        budget = self.document.budget_steps
        if budget is not None and self.steps_count > budget:
            raise StepFailed("budget-exceeded", f"more than {budget} steps", path)
        late = time.monotonic() - self.flushed_at > FLUSH_S and self.waiting > 1
        if self.waiting >= RESULTS_MAX or late or self.full:
            await self.flush_behind()

    async def effect(self, step: UsesStep, path: str, scope: Scope) -> Any:
        return await effects.carry_out(self, step, path, scope)

    async def wait(self, step: WaitStep, path: str, scope: Scope) -> Any:
        return await waits.wait(self, step, path, scope)

    # -- the life of the run --------------------------------------------------------------------

    def begin_cancel(self) -> None:
        if not self.cancelling:
            self.cancelling = True
            if self._walk is not None:
                self._walk.cancel()

    async def heard(self) -> None:
        """A renewal or a signal says that the stream went on."""
        try:
            await self.look_again()
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
            await self.settled()
            due_s = max(0.0, (parked.due - self.now()).total_seconds())
            await self.flush(due_s=min(due_s, self._time_left() or due_s), leased=False)
        except StepFailed as failure:
            await self.settled()
            await self._finish("failed", failure, None)
        except TimeoutError:
            await self.settled()
            await self._finish("failed", StepFailed("timeout", "the execution took too long"), None)
        except asyncio.CancelledError:
            await self.settled()
            if self.leaving:
                await self.flush(due_s=0.0, leased=False)
            elif self.cancelling:
                await self._finish("cancelled", None, None)
            else:
                raise Lost from None
        else:
            await self.settled()
            await self._finish("succeeded", None, output)

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
        if self.values_bytes + len(body or b"") > EVENT_BYTES_MAX:
            await self.flush()
        results, values = self.take_results()
        finished = ExecutionFinished.model_construct(
            workflow_id=self.state.started.workflow_id, outcome=outcome, rollback="none",
            error=failure and error_fact(failure, self.seal(failure.message)), results=results,
            values=self.seal(values) if results else None,
            output=self.key.seal_bytes(body, self.stream) if body is not None else None,
            output_bytes=len(body or b""), duration_ms=self._duration_ms(),
            steps_count=self.steps_count, effects_count=self.effects_count,
        )  # fmt: skip
        self.ended = True
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
