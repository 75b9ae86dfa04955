"""An effect: its intent is committed before, its answer after; the same key at every attempt."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from libs.common.errors import Unavailable
from libs.language import ExpressionError, note_versions
from libs.language.steps import Pages, PythonStep, Retry, Undo, UsesStep
from services.executor.connectors.catalog import CATALOG
from services.executor.connectors.connector import Connector
from services.executor.contract import (
    EffectBegan,
    EffectEnded,
    EgressRefused,
    ExecutionPaused,
    UndoFact,
    WaitBegan,
    WaitEnded,
)  # fmt: skip
from services.executor.documents import OpenedSecret
from services.executor.failure import RetryPlan, StepFailed, error_fact, retry_plan
from services.executor.host import STAGE, Cut, Parked, Scope, expression_failed

if TYPE_CHECKING:
    from services.executor.run import Run

log = logging.getLogger(__name__)
VALUE_BYTES_MAX = 262_144
SHORT_S = 1.0
CONNECT_S = 1.5
PAGE_TIMEOUT_S = 30.0
SECRETS_AGAIN_S = 2.0
Caller = UsesStep | Undo | Pages | PythonStep


@dataclass(frozen=True, slots=True)
class Effect:
    """What is to be done outside, at which path, and within which bounds."""

    path: str
    connector: str
    caller: Caller
    retry: Retry | None
    timeout_s: float
    deadline_s: float | None = None
    once: bool = False
    undo: Undo | None = None
    snapshot: Callable[[], str] | None = None

    @property
    def card(self) -> Connector:
        return CATALOG[self.connector]


def of_step(step: UsesStep, path: str) -> Effect:
    return Effect(
        path, f"{step.connector}@{step.version}", step, step.retry, step.timeout_s,
        step.deadline_s, step.once, step.undo,
    )  # fmt: skip


def of_page(pages: Pages, path: str) -> Effect:
    return Effect(path, f"{pages.connector}@{pages.version}", pages, None, PAGE_TIMEOUT_S)


async def carry_out(run: "Run", effect: Effect, scope: Scope, given: Any = None) -> Any:
    """The connector's output, after as many attempts as the retry allows.

    `given` is the request where it is no value of the document (a call out of Python).
    """
    path = effect.path
    before = run.state.effects.get(path)
    first_at = run.state.first_at.get(path) or run.now()
    if before is not None:
        request = run.open(before.request)
    elif given is not None:
        request = given
    else:
        request = await computed(run, effect.caller, path, scope, first_at)
    plan = retry_plan(effect.retry, effect.card.repeatable(request))
    attempt = _next_attempt(run, effect)
    while True:
        _not_too_late(run, effect, first_at, attempt)
        secrets = await opened_secrets(run, effect.caller, path)
        if secrets and not isinstance(effect.caller, PythonStep):
            versions = {name: secret.version for name, secret in secrets.items()}
            request = note_versions(request, effect.caller.with_.secret_places, versions)
        began = EffectBegan(
            path=path, connector=effect.connector, effect=effect.card.effect,
            attempt=attempt, idempotency_key=f"{run.id}:{path}"[:400],
            host=effect.card.host(request), request=run.seal(request), first_at=first_at,
            snapshot=effect.snapshot() if effect.snapshot is not None else None,
        )  # fmt: skip
        await run.flush(began)
        run.effects_count += 1
        try:
            return await _attempt(run, effect, request, attempt, scope, secrets)
        except StepFailed as failure:
            attempt = await _after_failure(run, effect, plan, failure, attempt, began.host)


async def computed(run: "Run", caller: Any, path: str, scope: Scope, clock: datetime) -> Any:
    """The request that a `with` gives; `now()` in it is `clock`."""
    try:
        request = await run.evaluate(caller.with_, scope, clock)
    except ExpressionError as error:
        raise expression_failed(error, path) from None
    if (size := len(msgspec.json.encode(request))) > VALUE_BYTES_MAX:
        raise StepFailed(
            "input-invalid", f"request of {size} bytes; limit value_bytes {VALUE_BYTES_MAX}", path
        )
    return request


async def opened_secrets(run: "Run", caller: Caller, path: str) -> dict[str, OpenedSecret]:
    """The secrets that a `with` names. Raises Parked while nobody can tell, StepFailed."""
    if isinstance(caller, PythonStep) or not caller.with_.secrets:
        return {}
    names = sorted(caller.with_.secrets)
    try:
        found = await run.around.secrets(run.org, names)
    except Unavailable as error:
        log.warning("effect waits", extra={"execution": run.id, "part": error.extra.get("part")})
        raise Parked(run.now() + timedelta(seconds=SECRETS_AGAIN_S)) from None
    if missing := [name for name in names if name not in found]:
        raise StepFailed("input-invalid", f"there is no secret named {missing[0]}", path)
    return found


def _next_attempt(run: "Run", effect: Effect) -> int:
    """1 at first; after a crash in mid-effect the attempt counts, and the same key is sent."""
    path = effect.path
    before = run.state.effects.get(path)
    if before is None:
        return 1
    if (said := run.state.given_up.get(path)) is not None:
        raise _failed_before(run, before) or StepFailed(
            "interrupted", f"given up by a person: {said.decision}", path, before.attempt
        )
    if run.state.tries_from.get(path) == before.attempt:
        return before.attempt + 1
    if before.ended is None:
        if effect.once:
            pause(run, path, "outcome-unknown")
        return before.attempt + 1
    due = before.ended.retry_at
    if due is None:
        failure = _failed_before(run, before)
        if failure is not None and failure.type != "cancelled":
            raise failure
        if STAGE.get() != "last-things" or effect.once:
            raise Cut
        return before.attempt + 1  # a `finally` that was cut goes on to its end
    if due > run.now():
        raise Parked(due)
    if path in run.state.waits:
        run.tell(WaitEnded(path=path, reason="due"))
    return before.attempt + 1


def _failed_before(run: "Run", before: Any) -> StepFailed | None:
    """The failure that the last attempt's end recorded."""
    if before.ended is None or (error := before.ended.error) is None:
        return None
    message = run.open(error.message) if error.message else ""
    return StepFailed(error.type, message, error.path, before.attempt, error.status)


def pause(run: "Run", path: str, cause: Any) -> None:
    """A person must say how it goes on; raises Parked."""
    run.tell(ExecutionPaused(cause=cause, path=path, reason=None))
    raise Parked


def _not_too_late(run: "Run", effect: Effect, first_at: datetime, attempt: int) -> None:
    limit = effect.deadline_s
    if limit is not None and run.now() - first_at > timedelta(seconds=limit):
        raise StepFailed("timeout", "the step's deadline has passed", effect.path, attempt - 1)


async def _attempt(
    run: "Run", effect: Effect, request: Any, attempt: int, scope: Scope,
    secrets: dict[str, OpenedSecret],
) -> Any:  # fmt: skip
    """One attempt within its timeout and the lease; its answer is committed before it is used."""
    path = effect.path
    outcome, since = await send(run, effect, request, f"{run.id}:{path}"[:400], attempt, secrets)
    body = msgspec.json.encode(outcome.value)
    if len(body) > VALUE_BYTES_MAX:
        large = StepFailed(
            "output-too-large",
            f"answer of {len(body)} bytes; limit value_bytes {VALUE_BYTES_MAX}", path, attempt,
        )  # fmt: skip
        large.since = since
        raise large
    await run.flush(
        EffectEnded(
            path=path, attempt=attempt, outcome="done", status=outcome.status,
            duration_ms=int((time.monotonic() - since) * 1000), value=run.seal(outcome.value),
            bytes=len(body), error=None, retry_at=None,
            undo=await _undo_fact(run, effect, scope, outcome.value),
            host=effect.card.host(request),
        )
    )  # fmt: skip
    run.steps_count += 1
    return outcome.value


async def send(
    run: "Run",
    effect: Effect,
    request: Any,
    key: str,
    attempt: int,
    secrets: dict[str, OpenedSecret],
) -> tuple[Any, float]:
    """The connector's outcome and when it was asked; what is cut by a cancel is recorded so."""
    if run.leased_until - time.monotonic() < CONNECT_S and not await run.around.renew(run):
        run.abandon()
    since = time.monotonic()
    try:
        return await run.around.call(run, effect, request, key, attempt, secrets), since
    except asyncio.CancelledError:
        if run.holding and not key.endswith(":undo"):
            cut = StepFailed(
                "cancelled", "cut by a cancel; its outcome is unknown", effect.path, attempt
            )
            run.tell(ended(run, effect.path, attempt, since, cut, effect.card.host(request)))
        raise
    except StepFailed as failure:
        failure.path, failure.attempts, failure.since = effect.path, attempt, since
        raise


async def _undo_fact(run: "Run", effect: Effect, scope: Scope, result: Any) -> UndoFact | None:
    """What reverses the effect is computed now and committed with the result (§7.5)."""
    if (undo := effect.undo) is None:
        return None
    connector = f"{undo.connector}@{undo.version}"
    inner = {**scope, effect.path.partition("[")[0]: result}
    try:
        request = await computed(run, undo, effect.path, inner, run.now())
    except StepFailed as failure:
        return UndoFact(connector=connector, host="none", impossible=run.seal(failure.message))
    return UndoFact(
        connector=connector, host=CATALOG[connector].host(request), request=run.seal(request)
    )


async def _after_failure(
    run: "Run", effect: Effect, plan: RetryPlan, failure: StepFailed, attempt: int, host: str
) -> int:
    """The number of the next attempt, now or after a pause; raises the failure for good."""
    path = effect.path
    over = ended(run, path, attempt, failure.since, failure, host)
    if failure.rule:
        run.tell(EgressRefused(path=path, host=failure.host, rule=failure.rule))
    tried = attempt - run.state.tries_from.get(path, 0)
    if not plan.again(failure, tried):
        run.tell(over)
        if plan.pauses and plan.named(failure):
            pause(run, path, "step-failed")
        raise failure
    due, rest = due_after(run, plan, failure, tried)
    over = over.model_copy(update={"retry_at": due})
    if rest <= SHORT_S:
        await run.flush(over)
        await run.rest(rest)
        return attempt + 1
    run.tell(over, WaitBegan(path=path, kind="retry", due_at=due))
    raise Parked(due)


def due_after(
    run: "Run", plan: RetryPlan, failure: StepFailed, attempt: int
) -> tuple[datetime, float]:
    """When to try again, and in how many seconds."""
    rest = plan.pause_s(attempt, run.chance())
    rest = max(rest, failure.retry_after_s or 0.0)
    return run.now() + timedelta(seconds=rest), rest


def ended(
    run: "Run", path: str, attempt: int, since: float, failure: StepFailed, host: str
) -> EffectEnded:
    return EffectEnded(
        path=path, attempt=attempt, outcome="failed", status=failure.status,
        duration_ms=int((time.monotonic() - since) * 1000), value=None, bytes=0,
        error=error_fact(failure, run.seal(failure.message)), retry_at=None, host=host,
    )  # fmt: skip
