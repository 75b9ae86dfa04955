"""A run whose world is pretended: people, events, sub-workflows and time are answered here."""

from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from libs.common import ids
from libs.common.eventstore import stream_of
from libs.common.messages import Event, Recorded
from libs.language import ExpressionWorker, fill_secrets, format_rfc3339
from libs.language.steps import (
    ApprovalStep,
    ChooseStep,
    ForEachStep,
    Pages,
    ParallelStep,
    PythonStep,
    SetStep,
    Step,
    TryStep,
    WaitStep,
    WorkflowStep,
)  # fmt: skip
from libs.sandbox import Sandbox
from services.executor import pins
from services.executor.commit import Committed
from services.executor.connectors.connector import Outcome, without_input
from services.executor.contract import (
    ApprovalDecided,
    ExecutionFinished,
    ExecutionProgressed,
    UndoEnded,
)  # fmt: skip
from services.executor.documents import OpenedSecret
from services.executor.effects import Effect
from services.executor.failure import StepFailed
from services.executor.host import MISSING, NEVER, Parked, Scope
from services.executor.mocks import UNDO, Answers
from services.executor.outline import steps_of
from services.executor.run import Run
from services.executor.simulation import Asked, Simulation, references
from services.executor.state import evolve
from services.executor.walk import Walk

PATH: ContextVar[str] = ContextVar("path")
REFERENCE = "secret"


class Stuck(Exception):
    """Nothing goes on by itself any more."""


class Watched(Walk):
    """A walk that keeps the value of every step, loops included."""

    host: "Pretended"

    async def _step(self, step: Step, path: str, scope: Scope, place: str) -> Any:
        try:
            if isinstance(step, ForEachStep) and not isinstance(step.items, Pages):
                value = self.host.answers.instead(path)
                if value is not MISSING:
                    self.host.values[path] = value
                    return value
            value = self.host.values[path] = await super()._step(step, path, scope, place)
        except StepFailed as failure:
            self.host.failure = self.host.failure or failure
            raise
        return value


class Beside:
    """What is around the run: nothing that is kept, and nothing that can be reached."""

    def __init__(self, worker: ExpressionWorker, sandbox: Sandbox) -> None:
        self._worker, self.sandbox = worker, sandbox

    async def evaluate(self, what: Any, scope: Scope, clock: str) -> Any:
        return await self._worker.evaluate(what, scope, clock)

    async def commit(self, decision: Any) -> Committed:
        return Committed("won")

    async def secrets(self, org: str, names: list[str]) -> dict[str, OpenedSecret]:
        return {name: OpenedSecret("", 0) for name in names}

    async def call(
        self, run: Any, effect: Effect, request: Any, key: str, attempt: int, secrets: Any
    ) -> Any:
        """The mock's answer to what the connector would have taken."""
        undo = key.endswith(UNDO)
        run.asked.append(Asked(effect.path, effect.connector, references(request), attempt, undo))
        must_be_taken(effect, request, run.document.egress)
        value = run.answers.effect(effect.path + (UNDO if undo else ""), attempt)
        status = value.get("status") if isinstance(value, dict) else None
        return Outcome(value, status if isinstance(status, int) else None)

    async def start_child(self, run: Any, step: WorkflowStep, path: str, given: Any) -> str:
        run.asked.append(Asked(path, f"workflow:{step.workflow}", given, 1))
        return ids.derived("exe", run.id, "child", path)

    async def ended_children(self, run: Any) -> dict[str, ExecutionFinished]:
        return {
            child: run.ended_child(path, child)
            for path, child in run.state.children.items()
            if path in run.state.waits
        }

    async def arrivals(self, run: Any, wait: WaitStep, since: datetime) -> list[Any]:
        event = run.answers.event(PATH.get())
        if event is MISSING or wait.event is None:
            return []
        known = {
            "specversion": "1.0", "id": ids.derived("evt", run.id, PATH.get()),
            "source": "mock", "time": format_rfc3339(run.now()),
        }  # fmt: skip
        return [known | event | {"type": event.get("type") or wait.event.type}]

    async def events_since(self, stream: str, version: int) -> list[Recorded]:
        return []

    async def note_late(self, org: str, execution: str, path: str, attempt: int) -> None:
        return

    async def renew(self, run: Any) -> bool:
        return True

    async def reverse_child(self, run: Any, child: str) -> str:
        return "none"

    def answer_end(self, run: Any, finished: Any, inboxes: list[str], output: Any) -> None:
        run.finished, run.output = finished, output


class Pretended(Run):
    """Time stands still but when somebody waits; where it is known, it is as it was recorded."""

    def __init__(self, *args: Any, answers: Answers, **more: Any) -> None:
        super().__init__(*args, **more)
        self.answers = answers
        self.clock = self.started_at
        self.asked: list[Asked] = []
        self.values: dict[str, Any] = {}
        self.undone: list[str] = []
        self.failure: StepFailed | None = None
        self.finished: ExecutionFinished | None = None
        self.output: Any = None
        self._seen: set[str] = set()
        self._steps = steps_of(self.document)

    def now(self) -> datetime:
        return self.clock

    async def rest(self, seconds: float) -> None:
        self.clock += timedelta(seconds=seconds)

    def chance(self) -> float:
        return 1.0

    def walk(self) -> Walk:
        return Watched(self)

    def recorded(self, path: str) -> Any:
        if path not in self._seen:
            self._seen.add(path)
            self.clock = self.answers.began(path) or self.clock
        return super().recorded(path)

    def pinned(self, path: str) -> Any:
        value = super().pinned(path)
        step = self._steps.get(path.partition("[")[0])
        walked = isinstance(step, SetStep | ChooseStep | ParallelStep | TryStep | PythonStep)
        if value is not MISSING or not walked or not pins.is_step(path):
            return value
        if (value := self.answers.instead(path)) is not MISSING:
            self.pins[path] = value
        return super().pinned(path)

    async def act(self, step: Step, path: str, scope: Scope) -> Any:
        PATH.set(path)
        fresh = path not in self.state.approvals and path not in self.state.children
        try:
            return await super().act(step, path, scope)
        except Parked:
            if isinstance(step, ApprovalStep) and fresh and await self._people(step, path):
                return await super().act(step, path, scope)
            if not isinstance(step, WorkflowStep) or not fresh:
                raise
        await self.flush()
        self._children = None
        return await super().act(step, path, scope)

    async def _people(self, step: ApprovalStep, path: str) -> bool:
        """Whether somebody decided; False: the approval's time runs out."""
        said = self.answers.decision(path)
        if (how := said.get("decision")) == "timed-out":
            return False
        await self.flush()
        asked = self.state.approvals[path].asked
        people = list(said.get("decided_by") or [])
        wanted = 1 if how == "rejected" else step.quorum
        people += [ids.derived("per", path, str(n)) for n in range(len(people), wanted)]
        comment, changed = said.get("comment"), said.get("input")
        for first, person in enumerate(people[:wanted]):
            self.tell(ApprovalDecided.model_validate({
                "approval_id": asked.approval_id, "path": path, "person_id": person,
                "decision": how, "comment": None if comment is None else self.seal(comment),
                "input": None if changed is None or first else self.seal(changed),
            }))  # fmt: skip
        await self.flush()
        return True

    def ended_child(self, path: str, child: str) -> ExecutionFinished:
        outcome, output = "succeeded", None
        try:
            output = self.key.seal(
                self.answers.child(path), stream_of("execution", self.org, child)
            )
        except StepFailed:
            outcome = "failed"
        return ExecutionFinished.model_construct(outcome=outcome, output=output)

    def _decision(
        self, batch: list[Event], op: str, due_s: float, leased: bool, closes: bool
    ) -> Any:
        """Nothing is encoded for a log that is none."""
        return None

    def _carried(self, batch: list[Event], leased: bool) -> None:
        super()._carried(batch, leased)
        for event in batch:
            if isinstance(event, ExecutionProgressed):
                evolve(self.state, event)
            elif isinstance(event, ExecutionFinished) and event.values is not None:
                evolve(self.state, ExecutionProgressed.model_construct(
                    results=event.results, values=event.values, budget_used=0))  # fmt: skip
            elif isinstance(event, UndoEnded) and event.outcome == "done":
                self.undone.append(event.path)

    async def _park(self, due: datetime) -> bool:
        """Whoever waits sees the time pass, up to the document's own limits."""
        await self.settled()
        await self.flush()
        left = self.time_left()
        if left is not None and not self.ending:
            due = min(due, self.now() + timedelta(seconds=max(0.0, left[0])))
        if due >= NEVER or self.state.paused is not None:
            raise Stuck(self._waits_for())
        self.clock = max(self.clock, due)
        return False

    def _waits_for(self) -> str:
        if (paused := self.state.paused) is not None:
            return f"{paused.path}: it pauses for a person ({paused.cause})"
        for path, wait in self.state.waits.items():
            if wait.kind == "event":
                return f"{path}: no event fits; give `mocks.{path.partition('[')[0]}: {{event: …}}`"
        return "it waits for ever: " + ", ".join(self.state.waits)

    def told(self, stopped: str | None) -> Simulation:
        results = {path: self.open_result(one) for path, one in self.state.results.items()}
        found = Simulation(
            None, stopped=stopped, values=self.values, results=results, asked=self.asked,
            undone=self.undone, ended_at=self.clock,
            column=self.failure.column if self.failure is not None else None,
        )  # fmt: skip
        if (end := self.finished) is None:
            found.stopped = stopped or "it came to no end"
            return found
        found.outcome, found.rollback = end.outcome, end.rollback
        found.output = self.output if end.outcome == "succeeded" else None
        if (error := end.error) is not None:
            found.error = error.model_dump(exclude={"message", "also"})
            found.error["message"] = self.open(error.message) if error.message else ""
            found.error["step"] = error.path.partition("[")[0] if error.path else None
        return found


def must_be_taken(effect: Effect, request: Any, egress: tuple[str, ...] | None) -> None:
    """Raises StepFailed for what the connector would refuse before it reaches out."""
    filled = request
    if not isinstance(effect.caller, PythonStep):
        filled = fill_secrets(request, effect.caller.with_.secret_places, lambda name: REFERENCE)
    try:
        effect.card.inputs.model_validate(filled)
    except ValueError as error:
        raise StepFailed("input-invalid", without_input(error)) from None
    host = effect.card.host(filled)
    if egress is not None and host != "none" and host not in egress:
        raise StepFailed("egress-refused", f"{host}: host-not-listed")
