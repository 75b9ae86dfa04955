"""One attempt of a connector: secrets are filled in here, and masked in whatever comes back."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from libs.common import telemetry
from libs.egress import Client
from libs.language import fill_secrets
from libs.language.steps import PythonStep
from services.executor.connectors.connector import Attempt, without_input
from services.executor.documents import OpenedSecret
from services.executor.effects import Effect
from services.executor.failure import StepFailed
from services.executor.files import Files, FilesOf
from services.executor.masking import masked

if TYPE_CHECKING:
    from services.executor.run import Run

log = logging.getLogger(__name__)


class Calling:
    """One per process. `client` makes all connections, behind the guard."""

    def __init__(self, client: Callable[[], Client]) -> None:
        self._client = client
        self.files: Files | None = None
        self._late: set[asyncio.Task[Any]] = set()

    async def call(
        self, run: "Run", effect: Effect, request: Any, key: str, attempt: int,
        secrets: dict[str, OpenedSecret],
    ) -> Any:  # fmt: skip
        """The connector's Outcome within the effect's timeout. Raises StepFailed."""
        filled = request
        if secrets and not isinstance(effect.caller, PythonStep):
            places = effect.caller.with_.secret_places
            filled = fill_secrets(request, places, lambda name: secrets[name].value)
        hidden = [secret.value for secret in secrets.values()]
        files = None if self.files is None else FilesOf(self.files, run.org, run.id, hidden)
        allowed = Attempt(self._client(), key, effect.timeout_s, run.document.egress, files)
        try:
            with telemetry.span("effect", run.meta.traceparent, execution=run.id, attempt=attempt):
                outcome = await self._in_time(run, effect, attempt, filled, allowed)
        except TimeoutError:
            raise StepFailed("timeout", f"no answer within {effect.timeout_s:g} s") from None
        except StepFailed as failure:
            failure.message = masked(failure.message, hidden)
            raise
        except ValueError as error:
            raise StepFailed("input-invalid", masked(without_input(error), hidden)) from None
        if hidden:
            outcome = type(outcome)(masked(outcome.value, hidden), outcome.status)
        return outcome

    async def _in_time(
        self, run: "Run", effect: Effect, attempt: int, filled: Any, allowed: Attempt
    ) -> Any:
        """The outcome. When the time is over or the run is cut, nobody waits for the connector any
        longer, even one that does not stop: an answer that it gives then is recorded as late."""
        task = asyncio.ensure_future(effect.card.run(filled, allowed))
        try:
            await asyncio.wait((task,), timeout=effect.timeout_s)
        finally:
            if not task.done():
                task.cancel()
                self._late.add(task)
                task.add_done_callback(lambda over: self._came_late(run, effect, attempt, over))
        if task in self._late:
            raise TimeoutError
        return task.result()

    def _came_late(
        self, run: "Run", effect: Effect, attempt: int, over: "asyncio.Task[Any]"
    ) -> None:
        self._late.discard(over)
        if over.cancelled():
            return
        error = over.exception()
        if error is None or isinstance(error, StepFailed):
            noting = asyncio.create_task(
                run.around.note_late(run.org, run.id, effect.path, attempt)
            )
            self._late.add(noting)
            noting.add_done_callback(self._noted)

    def _noted(self, noting: "asyncio.Task[Any]") -> None:
        self._late.discard(noting)
        if not noting.cancelled() and (error := noting.exception()) is not None:
            log.warning("a late answer was not recorded", extra={"cause": type(error).__name__})
