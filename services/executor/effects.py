"""An effect: its intent is committed before, its answer after; the same key at every attempt."""

import asyncio
import logging
import random
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from libs.common.errors import Unavailable
from libs.language import ExpressionError, note_versions
from libs.language.document import UsesStep
from services.executor.connectors.catalog import CATALOG
from services.executor.contract import (
    EffectBegan,
    EffectEnded,
    EgressRefused,
    ErrorFact,
    WaitBegan,
    WaitEnded,
)  # fmt: skip
from services.executor.documents import OpenedSecret
from services.executor.domain import RetryPlan, StepFailed, expression_failed, retry_plan
from services.executor.interpret import Parked, Scope

if TYPE_CHECKING:
    from services.executor.run import Run

log = logging.getLogger(__name__)
VALUE_BYTES_MAX = 262_144
SHORT_S = 1.0
CONNECT_S = 1.5
SECRETS_AGAIN_S = 2.0


async def carry_out(run: "Run", step: UsesStep, path: str, scope: Scope) -> Any:
    """The output of the connector, after as many attempts as its retry allows."""
    connector = CATALOG[f"{step.connector}@{step.version}"]
    before = run.state.effects.get(path)
    request = run.open(before.request) if before else await _request(run, step, path, scope)
    plan = retry_plan(step.retry, connector.repeatable(request))
    attempt = _next_attempt(run, step, path)
    first_at = run.now()
    if before is not None:
        first_at = _first_at(run, path, first_at)
    while True:
        _not_too_late(run, step, path, first_at, attempt)
        secrets = await _secrets(run, step, path)
        versions = {name: secret.version for name, secret in secrets.items()}
        request = note_versions(request, step.with_.secret_places, versions)
        began = EffectBegan(
            path=path, connector=f"{step.connector}@{step.version}", effect=connector.effect,
            attempt=attempt, idempotency_key=f"{run.id}:{path}"[:400],
            host=connector.host(request), request=run.seal(request), first_at=first_at,
        )  # fmt: skip
        await run.flush(began)
        run.effects_count += 1
        try:
            return await _attempt(run, step, path, request, attempt, secrets)
        except StepFailed as failure:
            attempt = await _after_failure(run, step, path, plan, failure, attempt)


async def _request(run: "Run", step: UsesStep, path: str, scope: Scope) -> Any:
    try:
        request = await run.evaluate(step.with_, scope, run.now())
    except ExpressionError as error:
        raise expression_failed(error, path) from None
    if (size := len(msgspec.json.encode(request))) > VALUE_BYTES_MAX:
        raise StepFailed(
            "input-invalid", f"request of {size} bytes; limit value_bytes {VALUE_BYTES_MAX}", path
        )
    return request


async def _secrets(run: "Run", step: UsesStep, path: str) -> dict[str, OpenedSecret]:
    """What this attempt will use, known before its intent is recorded: so the log can tell."""
    names = sorted(step.with_.secrets)
    try:
        found = await run.around.secrets(run.org, names)
    except Unavailable as error:
        log.warning("effect waits", extra={"execution": run.id, "part": error.extra.get("part")})
        raise Parked(run.now() + timedelta(seconds=SECRETS_AGAIN_S)) from None
    if missing := [name for name in names if name not in found]:
        raise StepFailed("input-invalid", f"there is no secret named {missing[0]}", path)
    return found


def _next_attempt(run: "Run", step: UsesStep, path: str) -> int:
    """1 at first; after a crash in mid-effect the attempt counts, and the same key is sent."""
    before = run.state.effects.get(path)
    if before is None:
        return 1
    if before.ended is None:
        if step.once:
            raise StepFailed(
                "interrupted", "cut in the middle, and marked `once`", path, before.attempt
            )
        return before.attempt + 1
    due = before.ended.retry_at
    if due is None:
        error = before.ended.error
        message = run.open(error.message) if error and error.message else ""
        raise StepFailed(error.type if error else "interrupted", message, path, before.attempt)
    if due > run.now():
        raise Parked(due)
    if path in run.state.waits:
        run.pending.append(WaitEnded(path=path, reason="due"))
    return before.attempt + 1


def _first_at(run: "Run", path: str, default: datetime) -> datetime:
    return run.state.first_at.get(path, default)


def _not_too_late(run: "Run", step: UsesStep, path: str, first_at: datetime, attempt: int) -> None:
    late = step.deadline_s is not None and run.now() - first_at > timedelta(seconds=step.deadline_s)
    if late:
        raise StepFailed("timeout", "the step's deadline has passed", path, attempt - 1)


async def _attempt(
    run: "Run", step: UsesStep, path: str, request: Any, attempt: int,
    secrets: dict[str, OpenedSecret],
) -> Any:  # fmt: skip
    """One attempt within its timeout and the lease; its answer is committed before it is used."""
    if run.leased_until - time.monotonic() < CONNECT_S and not await run.around.renew(run):
        run.abandon()
    since = time.monotonic()
    try:
        outcome = await run.around.call(
            run, step, request, f"{run.id}:{path}"[:400], attempt, step.timeout_s, secrets
        )
    except asyncio.CancelledError:
        if run.cancelling:
            cut = StepFailed("cancelled", "cut by a cancel; its outcome is unknown", path, attempt)
            run.pending.append(_ended(run, path, attempt, since, cut))
        raise
    except StepFailed as failure:
        failure.path, failure.attempts = path, attempt
        failure.since = since
        raise
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
        )
    )  # fmt: skip
    run.steps_count += 1
    return outcome.value


async def _after_failure(
    run: "Run", step: UsesStep, path: str, plan: RetryPlan, failure: StepFailed, attempt: int
) -> int:
    """The number of the next attempt, now or after a pause; raises the failure for good."""
    ended = _ended(run, path, attempt, failure.since, failure)
    refused = (
        [EgressRefused(path=path, host=failure.host, rule=failure.rule)] if failure.rule else []
    )
    if not plan.again(failure, attempt):
        run.pending += [*refused, ended]
        raise failure
    pause = plan.pause_s(attempt, random.random())  # noqa: S311 - jitter, not a secret
    pause = max(pause, failure.retry_after_s or 0.0)
    due = run.now() + timedelta(seconds=pause)
    ended = ended.model_copy(update={"retry_at": due})
    if pause <= SHORT_S:
        await run.flush(ended)
        await asyncio.sleep(pause)
        return attempt + 1
    run.pending += [ended, WaitBegan(path=path, kind="retry", due_at=due)]
    raise Parked(due)


def _ended(run: "Run", path: str, attempt: int, since: float, failure: StepFailed) -> EffectEnded:
    return EffectEnded(
        path=path, attempt=attempt, outcome="failed", status=failure.status,
        duration_ms=int((time.monotonic() - since) * 1000), value=None, bytes=0,
        error=ErrorFact(
            type=failure.type, path=path, attempts=attempt, message=run.seal(failure.message)
        ),
        retry_at=None,
    )  # fmt: skip
