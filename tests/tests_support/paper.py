"""An executor on paper: the real run, state and decisions over a log in memory, its own clock."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from libs.common.eventstore import Row, rows, stream_of
from libs.common.messages import Event, Meta, Recorded
from libs.common.privacy import DataKey
from libs.language import ExpressionWorker
from libs.language.check import parse
from libs.sandbox import Sandbox
from services.executor.commit import Committed, Decision
from services.executor.connectors.connector import Outcome
from services.executor.contract import ExecutionStarted, TriggerFact
from services.executor.domain import Command, Ended, Going, execution
from services.executor.facts import Duplicate
from services.executor.failure import StepFailed
from services.executor.run import Run, going

ORG, EXECUTION = "org_paper", "exe_paper"
BEGAN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class PaperRun(Run):
    """A run whose clock is the paper's."""

    def now(self) -> datetime:
        return self.around.clock  # pyright: ignore[reportAttributeAccessIssue] - a Paper


class Paper:
    """`Around` of all runs of one execution. `answers` says what comes of each call, in order:
    ok, 400, 500, or crash (the process is gone before the answer is noted)."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = parse(document)
        self.key = DataKey(ORG, "executions", "k1", b"k" * 32)
        self.stream = stream_of("execution", ORG, EXECUTION)
        self.log: list[Recorded] = []
        self.clock, self.due = BEGAN, BEGAN
        self.answers: list[str] = []
        self.crash_after: int | None = None
        self.sent: list[tuple[str, str]] = []
        self.runs: list[Run] = []
        self.late: list[str] = []
        self.ends = 0
        self.sandbox = Sandbox()
        self._worker = ExpressionWorker()

    # -- what the test does -----------------------------------------------------------------------

    @property
    def state(self) -> Any:
        return going(self.log)

    @property
    def over(self) -> bool:
        return isinstance(self.state, Ended)

    async def carry(self, holders: int = 1) -> None:
        """`holders` processes believe that they hold it, all from what the log says now."""
        self.runs = [run for _ in range(holders) if (run := self._run()) is not None]
        await asyncio.gather(*map(_go, self.runs))

    def tell(self, command: Command) -> None:
        """Somebody writes a command into the stream. Raises what `decide` raises."""
        decided = execution.decide(command, self.state)
        self._append(rows(self.stream, len(self.log) + 1, decided, Meta.system("test", ORG)))
        self.due = self.clock

    def tick(self) -> None:
        """Time passes until the next thing is due (at most a year)."""
        self.clock = max(self.clock, min(self.due, self.clock + timedelta(days=365)))

    def _run(self) -> Run | None:
        names: dict[str, Any] = {
            "input": {"n": 3}, "vars": {},
            "trigger": {"kind": "manual", "at": "2026-11-22T12:00:00Z", "headers": {}, "query": {},
                        "call": "call_1"},
            "execution": {"id": EXECUTION, "started_at": BEGAN.isoformat(), "attempt": 1,
                          "mode": "live"},
            "workflow": {"name": "paper", "version": 1},
        }  # fmt: skip
        meta = Meta.system("executor", ORG)
        if not self.log:
            started = ExecutionStarted.model_construct(
                execution_id=EXECUTION, workflow_id="wf_1", workflow_version=1, mode="live",
                trigger=TriggerFact.model_construct(kind="manual", call_id="call_1"),
                idempotency_digest="d", body_digest="d", input=self.key.seal(names, self.stream),
                input_bytes=1, labels={},
            )  # fmt: skip
            return PaperRun(self, ORG, EXECUTION, self.document, self.key, meta, started=started,
                            names=names)  # fmt: skip
        state = self.state
        if not isinstance(state, Going):
            return None
        return PaperRun(self, ORG, EXECUTION, self.document, self.key, meta, state=state,
                        version=len(self.log), names=names)  # fmt: skip

    def _append(self, batch: Sequence[Row]) -> None:
        for row in batch:
            self.log.append(
                Recorded(
                    id=row.id, source="/services/executor", type=row.type, subject=row.stream,
                    time=self.clock, organization=row.org, streamversion=row.version,
                    sequence=len(self.log) + 1, actor=row.actor, data=row.data,
                )
            )  # fmt: skip

    # -- what a run needs (`Around`) --------------------------------------------------------------

    async def commit(self, decision: Decision) -> Committed:
        await asyncio.sleep(0)
        known = decision.rows[0].version - 1 if decision.rows else decision.version
        if known != len(self.log):
            return Committed("lost")
        self._append(decision.rows)
        if decision.op == "keep":
            self.due = self.clock + timedelta(seconds=decision.due_s)
        if self.crash_after is not None and len(self.log) >= self.crash_after:
            self.crash_after = None
            self._crash()
        return Committed("won", len(self.log))

    def _crash(self) -> None:
        for run in self.runs:
            run.abandon()

    async def events_since(self, stream: str, version: int) -> list[Recorded]:
        return self.log[version:]

    async def evaluate(self, what: Any, scope: Any, clock: str) -> Any:
        return await self._worker.evaluate(what, scope, clock)

    async def secrets(self, org: str, names: list[str]) -> dict[str, Any]:
        return {}

    async def call(
        self, run: Run, effect: Any, request: Any, key: str, attempt: int, secrets: Any
    ) -> Outcome:
        self.sent.append((key, str(request["url"])))
        said = self.answers.pop(0) if self.answers else "ok"
        await asyncio.sleep(0)
        if said == "crash":
            self._crash()
            await asyncio.sleep(60)
        if said != "ok":
            kind = "client-error" if said == "400" else "server-error"
            raise StepFailed(kind, f"status {said}", status=int(said))
        return Outcome({"status": 200, "headers": {}, "json": {"id": key}, "text": "",
                        "size_bytes": 0}, 200)  # fmt: skip

    async def renew(self, run: Run) -> bool:
        return True

    async def arrivals(self, run: Run, wait: Any, since: datetime) -> list[Any]:
        return []

    async def start_child(self, run: Run, step: Any, path: str, given: Any) -> str:
        return f"exe_child_{path}"

    async def ended_children(self, run: Run) -> dict[str, Any]:
        return {}

    async def reverse_child(self, run: Run, child: str) -> str:
        return "none"

    async def note_late(self, org: str, execution: str, path: str, attempt: int) -> None:
        self.late.append(path)

    def answer_end(self, run: Run, finished: Event, inboxes: list[str], output: Any) -> None:
        self.ends += 1


async def _go(run: Run) -> None:
    """As the engine carries it: that somebody else had started it before is no failure."""
    with contextlib.suppress(Duplicate):
        await run.go()
