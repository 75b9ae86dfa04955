"""A simulation that may reach outside: its calls are made, and each is noted."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from services.executor.contract import CallTried
from services.executor.documents import OpenedSecret
from services.executor.effects import Effect
from services.executor.failure import StepFailed
from services.executor.pretending import Beside
from services.executor.simulation import Asked, references

if TYPE_CHECKING:
    from services.executor.engine import Engine


@dataclass(frozen=True, slots=True)
class Trial:
    """Whose draft is tried, and who tries it."""

    workflow: str
    meta: Meta


class Reaching(Beside):
    """Connectors are called as an execution calls them."""

    def __init__(self, engine: "Engine", trial: Trial) -> None:
        super().__init__(engine.worker, engine.sandbox)
        self._engine, self._trial = engine, trial

    async def secrets(self, org: str, names: list[str]) -> dict[str, OpenedSecret]:
        return await self._engine.secrets(org, names)

    async def call(
        self, run: Any, effect: Effect, request: Any, key: str, attempt: int, secrets: Any
    ) -> Any:
        run.asked.append(Asked(effect.path, effect.connector, references(request), attempt))
        since = time.monotonic()
        try:
            came = await self._engine.calling.call(run, effect, request, key, attempt, secrets)
        except StepFailed as failure:
            await self._note(effect, request, attempt, since, "failed", failure.status)
            raise
        await self._note(effect, request, attempt, since, "done", came.status)
        return came

    async def _note(
        self, effect: Effect, request: Any, attempt: int, since: float, outcome: Any,
        status: int | None,
    ) -> None:  # fmt: skip
        fact = CallTried(
            workflow_id=self._trial.workflow, path=effect.path, connector=effect.connector,
            host=effect.card.host(request), attempt=attempt, outcome=outcome, status=status,
            duration_ms=int((time.monotonic() - since) * 1000),
        )  # fmt: skip
        meta = self._trial.meta
        stream = stream_of("tried", meta.organization, self._trial.workflow)
        await self._engine.store.note(stream, [fact], meta)
