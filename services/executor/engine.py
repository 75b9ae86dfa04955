"""The executor of a process: its runs, their commits, leases, calls and answers."""

import asyncio
import logging
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

from libs.common import telemetry
from libs.common.database import LOST
from libs.common.errors import DomainError
from libs.common.eventstore import stream_of
from libs.common.fields import milliseconds
from libs.common.messages import Meta, Recorded
from libs.common.once import Kept
from libs.common.privacy import Forgotten
from libs.common.service import Service
from libs.egress import Client, Policy
from libs.language import ExpressionWorker, WorkerFault, fill_secrets
from libs.language.document import UsesStep
from services.executor import subscribers
from services.executor.commit import Committed, Committer, Decision
from services.executor.connectors.catalog import CATALOG
from services.executor.connectors.connector import Attempt
from services.executor.contract import ExecutionFinished, LateResultRefused
from services.executor.documents import Documents, OpenedSecret
from services.executor.domain import Going, StepFailed
from services.executor.interpret import Scope
from services.executor.leases import RENEW_S, Claimed, Leases
from services.executor.masking import masked
from services.executor.run import Run, going
from services.executor.settings import ExecutorSettings
from services.executor.work import StartAnswer, encode

log = logging.getLogger(__name__)
LIMITS_S = 5.0
DEFAULT_LIMIT = 1000


class Engine:
    """`Around` of all runs of a process."""

    def __init__(self, service: Service, settings: ExecutorSettings) -> None:
        self.service, self.settings = service, settings
        self.store, self.bus = service.store, service.bus
        self.documents = Documents(service)
        self.committer = Committer(service.database, service.owner)
        self.committer.committed = service.appended
        self.leases = Leases(service.database, service.owner, self.free, self._claimed)
        self.client = Client(Policy(settings.allowed_pairs))
        self.worker = ExpressionWorker()
        self.runs: dict[str, Run] = {}
        self.tasks: set[asyncio.Task[Any]] = set()
        self._limits: Kept[str, int] = Kept(lambda _: LIMITS_S)
        self._queue: deque[asyncio.Future[None]] = deque()
        self.draining = False

    def free(self) -> int:
        return 0 if self.draining else max(0, self.settings.executor_places - len(self.runs))

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

    async def carry(self, run: Run) -> None:
        """Runs an execution in this process until it ends, parks or is lost."""
        self.runs.setdefault(run.id, run)
        telemetry.RUNNING.set(len(self.runs))
        log.debug("execution held", extra={"execution": run.id})
        try:
            with telemetry.span("execution", run.meta.traceparent, execution=run.id):
                await run.go()
        finally:
            if self.runs.get(run.id) is run:
                del self.runs[run.id]
            self._left()

    def _left(self) -> None:
        """A place is free: for a start that waits here, else for what is due in `timers`."""
        while self._queue:
            waiting = self._queue.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
        if self.leases.more:
            self.leases.wake.set()

    async def place(self, within_s: float) -> bool:
        """Waits for a free place; False when none came in time (the start is then queued)."""
        if self.free() > 0:
            return True
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(waiting)
        try:
            await asyncio.wait_for(waiting, within_s)
        except TimeoutError:
            return False
        return True

    async def _claimed(self, claimed: list[Claimed]) -> None:
        streams = [stream_of("execution", c.org, c.execution) for c in claimed]
        histories: dict[str, list[Recorded]] = {stream: [] for stream in streams}
        async with self.service.database.hot.connection() as connection:
            for recorded in await self.store.select(
                connection, "where stream = any(%s) order by stream, version", (streams,)
            ):
                histories[recorded.subject].append(recorded)
        for one, stream in zip(claimed, streams, strict=True):
            self.spawn(self._resume(one, histories[stream]))

    async def _resume(self, claimed: Claimed, history: list[Recorded]) -> None:
        if claimed.execution in self.runs:
            return
        try:
            run = await self._from_history(claimed, history)
            if run is None:
                await self._drop_timer(claimed.execution)
                return
            log.info("execution resumed", extra={"execution": run.id, "at_version": run.version})
            await self.carry(run)
        except (DomainError, *LOST) as error:
            log.warning("resume waits", extra={
                "execution": claimed.execution, "cause": type(error).__name__})  # fmt: skip

    async def _from_history(self, claimed: Claimed, history: list[Recorded]) -> Run | None:
        state = going(history)
        if not isinstance(state, Going):
            return None
        started = state.started
        try:
            key = await self.service.keys.key(claimed.org, "executions")
        except Forgotten:
            return None
        found = await self.documents.find(
            claimed.org, workflow=started.workflow_id, version=started.workflow_version
        )
        if found is None:
            raise WorkerFault("the version it started with is nowhere")
        stream = stream_of("execution", claimed.org, claimed.execution)
        first = history[0]
        meta = Meta.system(
            "executor", claimed.org, request_id=first.requestid or "",
            causation_id=history[-1].id, traceparent=first.traceparent,
        )  # fmt: skip
        return Run(
            self, claimed.org, claimed.execution, found.document, key, meta, state=state,
            version=len(history), names=key.open(started.input, stream),
        )  # fmt: skip

    async def _drop_timer(self, execution: str) -> None:
        async with self.service.database.hot.connection() as connection:
            await connection.execute("delete from timers where execution = %s", (execution,))

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
        self, run: Run, step: UsesStep, request: Any, key: str, attempt: int, within_s: float,
        secrets: dict[str, OpenedSecret],
    ) -> Any:  # fmt: skip
        """One attempt: secrets are filled in here, and masked in whatever comes back."""
        connector = CATALOG[f"{step.connector}@{step.version}"]
        filled = fill_secrets(request, step.with_.secret_places, lambda n: secrets[n].value)
        hidden = [secret.value for secret in secrets.values()]
        allowed = Attempt(self.client, key, within_s, run.document.egress)
        try:
            with telemetry.span("effect", run.meta.traceparent, execution=run.id, attempt=attempt):
                async with asyncio.timeout(within_s):
                    outcome = await connector.run(filled, allowed)
        except TimeoutError:
            raise StepFailed("timeout", f"no answer within {within_s:g} s") from None
        except StepFailed as failure:
            failure.message = masked(failure.message, hidden)
            raise
        except ValueError as error:
            raise StepFailed("input-invalid", masked(_without_input(error), hidden)) from None
        if hidden:
            outcome = type(outcome)(masked(outcome.value, hidden), outcome.status)
        return outcome

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

    # -- limits -----------------------------------------------------------------------------------

    async def executions_per_month(self, org: str) -> int:
        """The entitlement, kept for seconds."""
        return await self._limits.get(org, lambda: self._entitled(org))

    async def _entitled(self, org: str) -> int:
        async with self.service.database.work() as db:
            row = await subscribers.find_entitlements(db, org)
        return row.executions_per_month if row is not None else DEFAULT_LIMIT

    def forget_limits(self, org: str) -> None:
        self._limits.drop(lambda key: key == org)


def month() -> str:
    return datetime.now(UTC).strftime("%Y-%m")


def month_ends() -> str:
    """When the quota of this month is over."""
    first = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return milliseconds((first + timedelta(days=32)).replace(day=1))


def _without_input(error: ValueError) -> str:
    """A pydantic error names fields and rules, without the values."""
    errors = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    found = errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"with/{'/'.join(map(str, e['loc']))}: {e['msg']}" for e in found)
