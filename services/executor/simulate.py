"""A simulation: a document carried out by the engine's own run, with nothing around it.

The run is the one that carries out executions, so that retries, `try`, undo, `on_error` and
budgets are the same rules. What is around it is memory: commits are kept in a list, answers come
from mocks, and time passes when somebody waits. It has no client, no bus and no database.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from libs.common import ids
from libs.common.messages import Meta
from libs.common.privacy import DataKey
from libs.language import ExpressionWorker, format_rfc3339
from libs.language.document import Document
from libs.sandbox import Sandbox
from services.executor.contract import ExecutionStarted, TriggerFact
from services.executor.mocks import Answers, Unmocked
from services.executor.pretending import Beside, Pretended, Stuck
from services.executor.simulation import Simulation

BUDGET_S = 2.0
PURPOSE = "simulation"
NOBODY = ids.derived("org", PURPOSE)


class Simulator:
    """Carries documents out; `worker` and `sandbox` compute, and reach nothing."""

    def __init__(self, worker: ExpressionWorker, sandbox: Sandbox) -> None:
        self._worker, self._sandbox = worker, sandbox

    async def close(self) -> None:
        """Ends the processes that compute, for who made them for this alone."""
        await self._worker.close()
        await self._sandbox.close()

    async def run(
        self, document: Document, names: Mapping[str, Any], answers: Answers, *,
        budget_s: float = BUDGET_S, beside: Beside | None = None, org: str = NOBODY,
    ) -> Simulation:  # fmt: skip
        """Everything that happened; `stopped` says why it came to no end."""
        beside = beside or Beside(self._worker, self._sandbox)
        run = _run(org, document, dict(names), answers, beside)
        task = asyncio.create_task(run.go())
        try:
            done, _ = await asyncio.wait({task}, timeout=budget_s)
            if not done:
                run.leave()
                await asyncio.wait({task}, timeout=1.0)
                return run.told(stopped=f"it computes for longer than {budget_s:g} s")
            return run.told(stopped=_why(task))
        finally:
            task.cancel()


def _why(task: "asyncio.Task[None]") -> str | None:
    """What ended it before its end; anything but these is a fault of ours and is raised."""
    match task.exception():
        case None:
            return None
        case Unmocked() | Stuck() as stopped:
            return str(stopped)
        case error:
            raise error


def _run(
    org: str, document: Document, names: dict[str, Any], answers: Answers, beside: Beside
) -> Pretended:
    execution = names["execution"]["id"]
    key = DataKey(org, PURPOSE, PURPOSE, bytes(32))  # what it seals stays in memory
    started = ExecutionStarted.model_construct(
        execution_id=execution, workflow_id=ids.derived("wf", org, document.name),
        workflow_version=names["workflow"]["version"], mode=names["execution"]["mode"],
        trigger=TriggerFact(kind="manual", call_id=ids.derived("call", execution)),
        idempotency_digest="", body_digest="", input="", input_bytes=0, labels={},
        parent=None, concurrency_key=None,
    )  # fmt: skip
    return Pretended(
        beside, org, execution, document, key, Meta.system("executor", org), started=started,
        names=names, answers=answers,
    )  # fmt: skip


def names_for(
    document: Document, given: Any, variables: Mapping[str, Any], at: datetime, execution: str,
    mode: str = "test",
) -> dict[str, Any]:  # fmt: skip
    """The names that every step sees, for an execution that nobody started."""
    now = format_rfc3339(at)
    return {
        "trigger": {
            "kind": "manual", "headers": {}, "query": {}, "call": ids.derived("call", execution),
            "at": now,
        },
        "execution": {"id": execution, "started_at": now, "attempt": 1, "mode": mode},
        "workflow": {"name": document.name, "version": 1},
        "vars": dict(variables),
        "input": given,
    }  # fmt: skip
