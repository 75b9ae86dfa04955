"""The executor of a process: its runs, their commits, leases, calls and answers."""

import asyncio
import logging
import time
from datetime import datetime
from typing import Any

from libs.common import telemetry
from libs.common.database import LOST
from libs.common.eventstore import stream_of
from libs.common.looks import Looks
from libs.common.messages import Recorded
from libs.common.service import Service
from libs.egress import Client, Policy
from libs.language import ExpressionWorker
from libs.language.steps import WaitStep, WorkflowStep
from libs.sandbox import Sandbox
from services.executor import matching
from services.executor.calling import Calling
from services.executor.children import Children
from services.executor.commit import Committed, Committer, Decision
from services.executor.contract import ExecutionFinished, LateResultRefused
from services.executor.documents import Documents, OpenedSecret
from services.executor.effects import Effect
from services.executor.host import Scope
from services.executor.leases import RENEW_S, Leases
from services.executor.limits import Limits
from services.executor.resuming import Resuming
from services.executor.run import Run
from services.executor.settings import ExecutorSettings
from services.executor.snapshots import EVERY_EVENTS
from services.executor.turns import Turns
from services.executor.work import StartAnswer, encode

log = logging.getLogger(__name__)
KEPT_FREE = 10  # a tenth of the places


class Engine:
    """`Around` of all runs of a process."""

    def __init__(self, service: Service, settings: ExecutorSettings) -> None:
        self.service, self.settings = service, settings
        self.store, self.bus = service.store, service.bus
        self.documents = Documents(service)
        self.committer = Committer(service.database, service.owner)
        self.committer.committed = service.appended
        self.resuming = Resuming(self)
        self.leases = Leases(service.database, service.owner, self.free, self.resuming.claimed)
        self.client = Client(Policy(settings.allowed_pairs))
        self.calling = Calling(lambda: self.client)
        self.children = Children(self)
        self.limits = Limits(service.database)
        self.looks = Looks(service.store)
        self.worker = ExpressionWorker()
        self.sandbox = Sandbox()
        self.runs: dict[str, Run] = {}
        self.tasks: set[asyncio.Task[Any]] = set()
        self._turns = Turns()
        self.draining = False

    def free(self) -> int:
        """Places for what is claimed: whoever has thousands queued does not get the last ones."""
        return max(0, self._room() - self.settings.executor_places // KEPT_FREE)

    def _room(self) -> int:
        taken = len(self.runs) + len(self.resuming.coming)
        return 0 if self.draining else max(0, self.settings.executor_places - taken)

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task failed", exc_info=error)

    # -- runs -----------------------------------------------------------------------------------

    async def carry(self, run: Run, snapshot_at: int = 0) -> None:
        """Runs an execution in this process until it ends, parks or is lost."""
        self.runs.setdefault(run.id, run)
        self.resuming.watch(run, snapshot_at)
        telemetry.RUNNING.set(len(self.runs))
        log.debug("execution held", extra={"execution": run.id})
        try:
            with telemetry.span("execution", run.meta.traceparent, execution=run.id):
                await run.go()
        finally:
            run.let_go()
            if self.runs.get(run.id) is run:
                del self.runs[run.id]
            if run.ended and run.version > EVERY_EVENTS:
                self.spawn(self.resuming.drop_snapshots(run.id))
            self.left()

    def left(self) -> None:
        """A place is free: for a start that waits here, else for what is due in `timers`."""
        if not self._turns.next() and self.leases.more:
            self.leases.wake.set()

    async def place(self, org: str, within_s: float) -> bool:
        """Waits for a free place; False when none came in time (the start is then queued)."""
        return self._room() > 0 or await self._turns.wait(org, within_s)

    async def keep_leases(self) -> None:
        """Renews what is held every two seconds; a newer version means news, none means loss."""
        while True:
            await asyncio.sleep(RENEW_S)
            held = {run.id: run for run in self.runs.values() if run.version > 0}
            if not held:
                continue
            try:
                versions, until = await self.leases.renew(list(held))
            except LOST as error:
                log.warning("leases not renewed", extra={"cause": type(error).__name__})
                versions, until = {}, 0.0
            for name, run in held.items():
                self._renewed(run, versions.get(name), until)

    def _renewed(self, run: Run, version: int | None, until: float) -> None:
        if version is None:
            if run.leased_until < time.monotonic():
                run.abandon()
            return
        run.leased_until = until
        if version > run.version and not run.committing:
            self.spawn(run.heard())

    async def leave(self) -> None:
        """Drain: nothing new is taken; what runs is committed and handed over."""
        self.draining = True
        for run in list(self.runs.values()):
            run.leave()
        if self.tasks:
            await asyncio.wait(list(self.tasks), timeout=5)
        await self.client.aclose()
        await self.worker.close()
        await self.sandbox.close()

    # -- what a run needs (`Around`) ----------------------------------------------------------

    async def commit(self, decision: Decision) -> Committed:
        done = await self.committer.commit(decision)
        if decision.op == "keep" and (done.queued or not decision.lease_s):
            self.leases.due_in(decision.due_s)
        return done

    async def events_since(self, stream: str, version: int) -> list[Recorded]:
        return await self.store.load(stream, version)

    async def evaluate(self, what: Any, scope: Scope, clock: str) -> Any:
        return await self.worker.evaluate(what, scope, clock)

    async def renew(self, run: Run) -> bool:
        versions, until = await self.leases.renew([run.id])
        self._renewed(run, versions.get(run.id), until)
        return run.id in versions

    async def secrets(self, org: str, names: list[str]) -> dict[str, OpenedSecret]:
        return await self.documents.secrets(org, names)

    async def call(
        self, run: Run, effect: Effect, request: Any, key: str, attempt: int,
        secrets: dict[str, OpenedSecret],
    ) -> Any:  # fmt: skip
        return await self.calling.call(run, effect, request, key, attempt, secrets)

    async def arrivals(self, run: Run, wait: WaitStep, since: datetime) -> list[Any]:
        return await matching.arrivals(self.service, run.org, wait, since)

    async def start_child(self, run: Run, step: WorkflowStep, path: str, given: Any) -> str:
        return await self.children.start(run, step, path, given)

    async def ended_children(self, run: Run) -> dict[str, ExecutionFinished]:
        return await self.children.ended(run)

    async def reverse_child(self, run: Run, child: str) -> str | None:
        return await self.children.reverse(run, child)

    def answer_end(
        self, run: Run, finished: ExecutionFinished, inboxes: list[str], output: Any
    ) -> None:
        telemetry.EXECUTIONS.labels(finished.outcome).inc()
        if run.reply is not None and run.wait_s > 0:
            inboxes = [*inboxes, run.reply]
        if not inboxes:
            return
        answer = encode(
            StartAnswer(
                "finished", run.id, run.state.started.trigger.call_id, outcome=finished.outcome,
                output=output if finished.outcome == "succeeded" else None,
                error_type=finished.error.type if finished.error else None,
            )
        )  # fmt: skip
        for inbox in set(inboxes):
            self.spawn(self.bus.nc.publish(inbox, answer))

    async def note_late(self, org: str, execution: str, path: str, attempt: int) -> None:
        """The answer that came after the lease was lost: recorded beside, changes nothing."""
        fact = LateResultRefused(path=path, attempt=attempt, lease="lost")
        await self.service.append_system(stream_of("late", org, execution), fact, organization=org)
