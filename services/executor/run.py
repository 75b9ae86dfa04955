"""One execution in this process: walks its document, does its effects, ends or parks it."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, Protocol

from libs.common.messages import Meta, Recorded
from libs.common.privacy import DataKey
from libs.language import ExpressionError, format_rfc3339
from libs.language.document import Document
from libs.language.steps import (
    ApprovalStep,
    Pages,
    PythonStep,
    Step,
    UsesStep,
    WaitStep,
    WorkflowStep,
)  # fmt: skip
from libs.language.unrun import explained
from libs.sandbox import Sandbox
from services.executor import (
    approvals,
    collecting,
    effects,
    ending,
    python_step,
    sub_workflows,
    undo,
    waits,
)  # fmt: skip
from services.executor.contract import ExecutionFinished, ExecutionStarted
from services.executor.documents import OpenedSecret
from services.executor.facts import Committing, Lost
from services.executor.failure import StepFailed
from services.executor.host import MISSING, NEVER, STAGE, Cut, Parked, Scope, Within, has_finally
from services.executor.results import Results
from services.executor.state import Absent, Ended, Going, evolve
from services.executor.walk import Walk

log = logging.getLogger(__name__)
RESULTS_MAX = 100
FLUSH_S = 0.05
PARK_MAX_S = 400 * 86_400.0


class Around(Committing, Protocol):
    """What a run needs of the executor."""

    sandbox: Sandbox

    async def evaluate(self, what: Any, scope: Scope, clock: str) -> Any: ...

    async def secrets(self, org: str, names: list[str]) -> dict[str, OpenedSecret]: ...

    async def call(self, run: "Run", effect: effects.Effect, request: Any, key: str,
                   attempt: int, secrets: dict[str, OpenedSecret]) -> Any: ...  # fmt: skip

    async def renew(self, run: "Run") -> bool: ...

    async def arrivals(self, run: "Run", wait: WaitStep, since: datetime) -> list[Any]: ...

    async def start_child(self, run: "Run", step: WorkflowStep, path: str, given: Any) -> str: ...

    async def ended_children(self, run: "Run") -> dict[str, ExecutionFinished]: ...

    async def reverse_child(self, run: "Run", child: str) -> str | None: ...

    def answer_end(self, run: "Run", finished: ExecutionFinished, inboxes: list[str],
                   output: Any) -> None: ...  # fmt: skip


class Run(Results):
    """`Host` of a walk: gives it what was recorded, and takes what it finds out."""

    around: Around

    def __init__(
        self, around: Around, org: str, execution: str, document: Document, key: DataKey,
        meta: Meta, *, started: ExecutionStarted | None = None, state: Going | None = None,
        version: int = 0, names: dict[str, Any],
    ) -> None:  # fmt: skip
        if state is None:
            assert started is not None, "a run begins with its start or with its history"
            state = Going(started)
        super().__init__(around, org, execution, key, meta, state, version, started)
        self.document, self.names = document, names
        self.on_cancel = self.begin_cancel
        self.leaving = self.abandoned = self.ended = self.ending = False
        self.over: StepFailed | None = None
        self._work: asyncio.Task[Any] | None = None
        self.effects_count = self.state.effects_seen
        self.noted = set(self.state.results)
        self.events_taken: set[str] = set()
        self._children: dict[str, ExecutionFinished] | None = None
        self._cancelling = False

    # -- the host of the walk ---------------------------------------------------------------

    @property
    def holding(self) -> bool:
        """Whether this process still speaks for the execution and stays."""
        return not (self.leaving or self.abandoned)

    def walk(self) -> Walk:
        return Walk(self)

    def may_begin(self) -> None:
        stage = STAGE.get()
        if stage == "last-things":
            return
        over = self.state.cancel is not None or self.over is not None
        if stage == "called-off" or (over and not self.ending):
            raise Cut
        if self.state.paused is not None:
            raise Parked

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

    async def act(self, step: Step, path: str, scope: Scope) -> Any:
        if self.state.waits_ended.get(path) == "cancelled":
            raise Parked  # of a branch that is over: what ended it comes again in this walk
        match step:
            case UsesStep():
                return await effects.carry_out(self, effects.of_step(step, path), scope)
            case WaitStep():
                return await waits.wait(self, step, path, scope)
            case ApprovalStep():
                return await approvals.ask(self, step, path, scope)
            case WorkflowStep():
                return await sub_workflows.call(self, step, path, scope)
            case PythonStep():
                return await python_step.run_python(self, step, path, scope)
            case _:
                raise AssertionError(f"{type(step).__name__} is walked, not done")

    async def page(self, pages: Pages, path: str, scope: Scope) -> Any:
        value = self.recorded(path)
        if value is not MISSING:
            return value
        self.may_begin()
        return await effects.carry_out(self, effects.of_page(pages, path), scope)

    async def undo(self, within: Within) -> None:
        await undo.roll_back(self, within)

    async def ended_children(self) -> dict[str, ExecutionFinished]:
        """Those that it waits for and that have ended, looked up once in a walk."""
        if self._children is None:
            self._children = await self.around.ended_children(self)
        return self._children

    # -- the life of the run --------------------------------------------------------------------

    def begin_cancel(self) -> None:
        if not self.ending and self._work is not None and not self._cancelling:
            self._cancelling = True
            self._work.cancel()

    async def heard(self) -> None:
        """A renewal or a signal says that the stream went on."""
        try:
            await self.look_again()
        except Lost:
            self.abandon()

    def leave(self) -> None:
        """The process ends: what is known is committed and the lease given back."""
        self.leaving = True
        if self._work is not None:
            self._work.cancel()

    def abandon(self) -> None:
        """The lease is gone: whatever is under way is cut, nothing is recorded."""
        self.abandoned, self.leased_until = True, 0.0
        if self._work is not None:
            self._work.cancel()

    async def go(self) -> None:
        """Runs until the end, until it parks, or until it is lost. Raises Duplicate, Refused."""
        try:
            if self.admission.keyed and self.unsaid is not None:
                await self.flush()
            await collecting.begin(self)
            while not await self._go():
                await self.catch_up()
                self.news = False
        except Lost:
            log.info("execution lost", extra={"execution": self.id})
        finally:
            if self._background is not None:
                self._background.cancel()

    async def _go(self) -> bool:
        """One walk and what follows from it; False when there is news, so that it walks again."""
        self._children = None
        try:
            end = await self._end()
            self.ending = True
            await self._working(end)
        except Parked as parked:
            return await self._park(parked.due)
        except asyncio.CancelledError:
            if self.abandoned or not self.leaving:
                raise Lost from None
            await self.settled()
            await self.flush(leased=False)
        return True

    async def _end(self) -> Coroutine[Any, Any, None]:
        """How it is to be ended; where that is not decided, it walks. Raises Parked."""
        if self.state.finished is not None:
            return ending.reversed_for_parent(self)
        return ending.resumed(self) if self.state.rollback else await self._walked()

    async def _walked(self) -> Coroutine[Any, Any, None]:
        """Walks; the answer is how the execution is to be ended. Raises Parked."""
        left = self.time_left()
        if left is not None and left[0] <= 0:
            self.over = left[1]
        block, walk = self.document.block, self.walk()
        if self.state.cancel is not None and not has_finally(block):
            return ending.cancelled(self)
        try:
            async with asyncio.timeout(left[0] if left is not None and not self.over else None):
                output = await self._working(walk.block(block, self.names, ""))
            return ending.finish(self, "succeeded", None, output)
        except StepFailed as failure:
            return ending.failed(self, failure)
        except TimeoutError:
            assert left is not None, "only a limit runs out"
            self.over, self._cancelling = left[1], True
        except (Cut, asyncio.CancelledError) as cut:
            if not isinstance(cut, Cut) and not (self.holding and self._cancelling):
                raise
        await self._working(ending.last_things(self, walk))
        return ending.failed(self, self.over) if self.over else ending.cancelled(self)

    async def _working(self, work: Coroutine[Any, Any, Any]) -> Any:
        self._work = asyncio.create_task(work)
        try:
            return await self._work
        finally:
            self._work = None

    async def _park(self, due: datetime) -> bool:
        await self.settled()
        if self.news:
            return False
        left = self.time_left()
        rest = min(PARK_MAX_S, max(0.0, (due - self.now()).total_seconds()))
        if left is not None and not self.ending:
            rest = min(rest, max(0.0, left[0]))
        return (await self.flush(due_s=rest, leased=False)).status != "news"

    def time_left(self) -> tuple[float, StepFailed] | None:
        """Seconds until a limit of the document ends it, and the failure that it then is."""
        limits = (
            (self.document.timeout_s, "timeout", "the execution took too long"),
            (self.document.budget_duration_s, "budget-exceeded",
             "the execution took longer than budget.duration"),
        )  # fmt: skip
        if not (given := [(limit, *why) for limit, *why in limits if limit is not None]):
            return None
        seconds, code, words = min(given)
        return seconds - (self.now() - self.started_at).total_seconds(), StepFailed(code, words)

    @property
    def started_at(self) -> datetime:
        return datetime.fromisoformat(self.names["execution"]["started_at"])

    def duration_ms(self) -> int:
        return max(0, int((self.now() - self.started_at).total_seconds() * 1000))


def going(recorded: list[Recorded]) -> Going | Ended | Absent:
    """The state that the events of a stream make."""
    state: Any = Absent()
    for one in recorded:
        state = evolve(state, one.event())
    return state


__all__ = ["NEVER", "Around", "Run", "going"]
