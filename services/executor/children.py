"""Executions that executions start: begun once, their results read, cancelled with the parent."""

from typing import TYPE_CHECKING, Any

from libs.common import ids
from libs.common.eventstore import rows, stream_of
from libs.common.messages import Meta, Recorded
from libs.language.steps import WorkflowStep
from services.executor.commit import Admission, Decision
from services.executor.contract import (
    ExecutionFinished,
    ExecutionStarted,
    ParentFact,
    TriggerFact,
)  # fmt: skip
from services.executor.documents import Published
from services.executor.domain import Reverse, execution
from services.executor.failure import StepFailed
from services.executor.limits import month
from services.executor.names import names_of
from services.executor.run import Run, going
from services.executor.signals import SUBJECT
from services.executor.state import Absent, Going
from services.executor.undo import outcome_of

if TYPE_CHECKING:
    from services.executor.engine import Engine

DEPTH_MAX = 10


class Children:
    """One per process; a part of the engine."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        engine.committer.cancelled = self.asked

    async def start(self, run: Run, step: WorkflowStep, path: str, given: Any) -> str:
        """The child's id once its start is committed, now or by an earlier walk."""
        depth = (run.state.started.parent.depth if run.state.started.parent else 0) + 1
        if depth > DEPTH_MAX:
            raise StepFailed("workflow-failed", f"more than {DEPTH_MAX} workflows deep", path)
        found = await self._callee(run, step, path)
        child = ids.derived("exe", run.org, "child", run.id, path)
        stream = stream_of("execution", run.org, child)
        parent = ParentFact(execution_id=run.id, path=path, depth=depth, awaited=not step.detached)
        trigger = TriggerFact(
            kind="workflow", call_id=ids.derived("call", run.org, run.id, path),
            depth=run.state.started.trigger.depth,
        )  # fmt: skip
        names = await names_of(self._engine, run.org, found, child, {
            "kind": "workflow", "call": trigger.call_id, "headers": {}, "query": {},
        }, given)  # fmt: skip
        started = ExecutionStarted(
            execution_id=child, workflow_id=found.workflow, workflow_version=found.version,
            mode=run.state.started.mode, trigger=trigger, parent=parent,
            idempotency_digest=run.key.digest(child, "key"),
            body_digest=run.key.digest(child, "body"), input=run.key.seal(names, stream),
            input_bytes=len(str(given)), labels=dict(found.document.labels),
        )  # fmt: skip
        meta = Meta.system("executor", run.org, request_id=run.meta.request_id,
                           origin=run.meta.origin, traceparent=run.meta.traceparent)  # fmt: skip
        allowed = await self._engine.limits.executions_per_month(run.org)
        done = await self._engine.commit(Decision(
            stream, child, run.org, rows(stream, 1, [started], meta), "keep",
            admission=Admission(month(), allowed, found.document.priority),
        ))  # fmt: skip
        if done.status == "quota":
            raise StepFailed("workflow-failed", "this month's executions are used up", path)
        if done.status == "lost":
            run.news = True  # started by an earlier walk: it may have ended, and waked nobody
        self._engine.leases.wake.set()
        return child

    async def _callee(self, run: Run, step: WorkflowStep, path: str) -> Published:
        """The version that the step names, the latest, or the one pinned at publishing."""
        version = step.version if isinstance(step.version, int) else None
        workflow = step.workflow
        if step.version is None:
            pinned = await self._engine.documents.callee(
                run.org, run.state.started.workflow_id, run.state.version, workflow
            )
            if pinned is not None:
                workflow, version = pinned
        found = await self._engine.documents.find(run.org, workflow=workflow, version=version)
        if found is None or found.archived:
            raise StepFailed("workflow-failed", f"there is no workflow {step.workflow}", path)
        return found

    async def ended(self, run: Run) -> dict[str, ExecutionFinished]:
        """The ends of those that it still waits for, by execution."""
        streams = [
            stream_of("execution", run.org, child)
            for path, child in run.state.children.items()
            if path in run.state.waits
        ]
        if not streams:
            return {}
        async with self._engine.service.database.hot.connection() as connection:
            found = await self._engine.store.select(
                connection, "where stream = any(%s) and type = %s",
                (streams, ExecutionFinished.type),
            )  # fmt: skip
        return {r.subject.rpartition("-")[2]: _finished(r) for r in found}

    async def reverse(self, run: Run, child: str) -> str | None:
        """Has an ended child undo its effects: none, done or incomplete, or None until it has.

        Its end, and the end of its reversal, make its parent due.
        """
        stream = stream_of("execution", run.org, child)
        while True:
            events = await self._engine.store.load(stream)
            state = going(events)
            if isinstance(state, Absent):
                return "incomplete"  # forgotten, and with it how it could be undone
            if isinstance(state, Going):
                return None
            decided = execution.decide(Reverse(run.id), state)
            if not decided:
                return "none" if state.was is None else outcome_of(state.was)
            meta = Meta.system(
                "executor", run.org, request_id=run.meta.request_id, origin=run.meta.origin,
                traceparent=run.meta.traceparent,
            )  # fmt: skip
            done = await self._engine.commit(Decision(
                stream, child, run.org, rows(stream, len(events) + 1, decided, meta), "keep"
            ))  # fmt: skip
            if done.status == "won":
                return None

    def asked(self, execution: str) -> None:
        """A commit asked it to end: whoever runs it hears it at once."""
        self._engine.spawn(self._engine.bus.nc.publish(SUBJECT, execution.encode()))
        self._engine.leases.wake.set()


def _finished(recorded: Recorded) -> ExecutionFinished:
    event = recorded.event()
    assert isinstance(event, ExecutionFinished), "only ends were asked for"
    return event
