"""A start from the WORK queue: which version, does the input fit, did it come before; then run."""

import logging
import time
from datetime import UTC, datetime
from typing import Any

from nats.aio.msg import Msg

from libs.common import telemetry
from libs.common.bus import InternalError
from libs.common.database import LOST
from libs.common.errors import (
    DomainError,
    FieldProblem,
    InvalidInput,
    KeyReused,
    NotFound,
    PaymentNeeded,
    TooLarge,
    Unavailable,
)  # fmt: skip
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from libs.common.privacy import DataKey, Forgotten
from libs.language import ExpressionError, format_rfc3339
from libs.language.schema import validate_input
from services.executor.contract import (
    ExecutionStarted,
    HookNotFound,
    RuleBroken,
    TriggerCallRefused,
    TriggerCallRepeated,
    TriggerCallUnmatched,
    TriggerFact,
)  # fmt: skip
from services.executor.documents import Published
from services.executor.domain import Ended, Going
from services.executor.engine import Engine, month, month_ends
from services.executor.facts import Duplicate, Refused
from services.executor.run import Run, going
from services.executor.work import PURPOSE, Start, StartAnswer, decode_start, encode

log = logging.getLogger(__name__)
PLACE_S = 2.0
AGAIN_S = 0.5
COMMIT_S = 1.0
NAMES_BYTES_MAX = 1_048_576


class Starts:
    """Takes WORK items; acknowledges each after its first commit, or when it is refused."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.service = engine.service

    def take(self, message: Msg) -> None:
        if not self.engine.draining:
            self.engine.spawn(self._take(message))

    async def _take(self, message: Msg) -> None:
        start = decode_start(message.data)
        if time.time() * 1000 > start.deadline_ms:
            await message.ack()
            return
        acknowledged = False

        async def answer(said: StartAnswer | None) -> None:
            nonlocal acknowledged
            if said is not None:
                await self.service.bus.nc.publish(start.reply, encode(said))
            if not acknowledged:
                acknowledged = True
                await message.ack()

        with telemetry.span("start", start.traceparent, execution=start.execution):
            if not await self.handle(start, answer) and not acknowledged:
                await message.nak(delay=AGAIN_S)

    async def handle(self, start: Start, answer: Any) -> bool:
        """Starts and runs; `answer(StartAnswer | None)` is called when it may be acknowledged.

        False when a part that is needed does not answer: nothing was decided and nothing recorded,
        it may be tried again.
        """
        try:
            await self._handle(start, answer)
        except (Unavailable, *LOST) as error:
            log.warning("start waits", extra={
                "execution": start.execution, "cause": type(error).__name__,
                "part": getattr(error, "extra", {}).get("part", "store"),
            })  # fmt: skip
            return False
        return True

    async def _handle(self, start: Start, answer: Any) -> None:
        try:
            key = await self.service.keys.key(start.organization, PURPOSE)
            opened = key.open(start.payload, _call_stream(start))
            found = await self._published(start)
            names = await self._names(start, found, opened)
        except Forgotten:
            await answer(_refusal(start, NotFound()))
            return
        except (Unavailable, *LOST):
            raise
        except DomainError as error:
            await self._refuse(start, error)
            await answer(_refusal(start, error))
            return
        except Exception:
            log.exception("start failed", extra={"execution": start.execution})
            await answer(_refusal(start, InternalError("the start failed")))
            return
        await self._run(start, key, found, names, answer)

    async def _published(self, start: Start) -> Published:
        found = await self.engine.documents.find(
            start.organization, path=start.path, workflow=start.workflow, version=start.version
        )
        if found is None:
            raise HookNotFound("nothing listens here") if start.path else NotFound()
        if found.archived or (start.kind == "webhook" and not found.enabled):
            raise HookNotFound("the workflow is archived" if found.archived else "it is disabled")
        return found

    async def _names(self, start: Start, found: Published, opened: Any) -> dict[str, Any]:
        """The names that every step sees; the input is checked and its defaults filled in."""
        now = format_rfc3339(datetime.now(UTC))
        document = found.document
        names: dict[str, Any] = {
            "trigger": {"kind": start.kind, "at": now, "headers": opened.get("headers", {}),
                        "query": opened.get("query", {}), "call": start.call},
            "execution": {"id": start.execution, "started_at": now, "attempt": 1, "mode": "live"},
            "workflow": {"name": found.name, "version": found.version},
            "vars": await self.engine.documents.variables(start.organization, document.variables),
            "input": opened.get("body") if start.kind == "webhook" else opened.get("input"),
        }  # fmt: skip
        trigger = found.webhook(start.path)
        if trigger is not None and trigger.with_ is not None:
            try:
                names["input"] = await self.engine.evaluate(trigger.with_, names, now)
            except ExpressionError as error:
                raise InvalidInput(f"the trigger's with: {error.code}") from None
        if found.validator is not None:
            value, errors = validate_input(found.validator, names["input"])
            if errors:
                raise InvalidInput(
                    f"{len(errors)} problems in the input",
                    errors=[
                        FieldProblem(pointer=e.pointer, rule=e.rule, detail=e.detail)
                        for e in errors[:50]
                    ],
                )
            names["input"] = value
        if (size := len(encode(names))) > NAMES_BYTES_MAX:
            raise TooLarge(
                f"input and variables together have {size} bytes", limit_bytes=NAMES_BYTES_MAX
            )
        return names

    async def _run(
        self, start: Start, key: DataKey, found: Published, names: dict[str, Any], answer: Any
    ) -> None:
        stream = stream_of("execution", start.organization, start.execution)
        started = ExecutionStarted.model_construct(
            execution_id=start.execution, workflow_id=found.workflow,
            workflow_version=found.version, mode="live",
            trigger=TriggerFact.model_construct(
                kind=start.kind, call_id=start.call, path=start.path
            ),
            idempotency_digest=start.key_digest, body_digest=start.body_digest,
            input=key.seal(names, stream), input_bytes=start.bytes,
            labels=dict(found.document.labels),
        )  # fmt: skip
        run = Run(
            self.engine, start.organization, start.execution, found.document, key, _meta(start),
            started=started, names=names,
        )  # fmt: skip
        run.month = month()
        run.allowed = await self.engine.executions_per_month(start.organization)
        if start.respond == "result":
            run.reply, run.wait_s = start.reply, start.wait_s
        told = StartAnswer("started", start.execution, start.call)
        run.on_started = lambda: self._started(run, start, answer, told)
        await self._carried(start, run, answer)

    def _started(self, run: Run, start: Start, answer: Any, told: StartAnswer) -> None:
        """The start is durable; who waits for the result is told too, unless it is there."""
        said = None if run.ended and start.respond == "result" else told
        self.engine.spawn(answer(said))

    async def _carried(self, start: Start, run: Run, answer: Any) -> None:
        try:
            left_s = start.deadline_ms / 1000 - time.time() - COMMIT_S
            if await self.engine.place(max(0.0, min(PLACE_S, left_s))):
                await self.engine.carry(run)
            else:
                await run.flush(leased=False)
        except Refused:
            refused = PaymentNeeded(
                "this month's executions are used up", limit=run.allowed, used=run.allowed,
                meter="executions", resets_at=month_ends(),
            )  # fmt: skip
            await self._refuse(start, refused)
            await answer(_refusal(start, refused))
        except Duplicate:
            await answer(await self._again(start))

    async def _again(self, start: Start) -> StartAnswer:
        """The execution was started before: what it came to, or a place among those who wait."""
        stream = stream_of("execution", start.organization, start.execution)
        state = going(await self.engine.store.load(stream))
        assert isinstance(state, Going | Ended)
        if state.started.body_digest != start.body_digest:
            reused = KeyReused("this key came with another body before")
            await self._refuse(start, reused)
            return _refusal(start, reused)
        call = state.started.trigger.call_id
        if call != start.call:  # else the queue delivered this very call a second time
            repeated = TriggerCallRepeated(
                call_id=start.call, kind=start.kind, path=start.path,
                execution_id=start.execution,
            )  # fmt: skip
            await self._note(start, repeated)
        if isinstance(state, Going):
            if start.respond == "result":
                await self._join(start)
                state = going(await self.engine.store.load(stream))
            if not isinstance(state, Ended):
                return StartAnswer("started", start.execution, call, replayed=True)
        assert isinstance(state, Ended)
        return await self.ended_answer(start.organization, start.execution, state, start.respond)

    async def ended_answer(
        self, org: str, execution: str, state: Ended, respond: str
    ) -> StartAnswer:
        """What those get who ask again after the end."""
        call, finished = state.started.trigger.call_id, state.finished
        if respond != "result":
            return StartAnswer("started", execution, call, replayed=True)
        stream = stream_of("execution", org, execution)
        output = await self.service.keys.open(org, PURPOSE, stream, finished.output)
        return StartAnswer(
            "finished", execution, call, outcome=finished.outcome, output=output,
            error_type=finished.error.type if finished.error else None, replayed=True,
        )  # fmt: skip

    async def _join(self, start: Start) -> None:
        async with self.service.database.hot.connection() as connection:
            await connection.execute(
                "insert into replies (execution, org, inbox, until) values"
                " (%s, %s, %s, now() + make_interval(secs => %s)) on conflict do nothing",
                (start.execution, start.organization, start.reply, start.wait_s),
            )

    async def _refuse(self, start: Start, error: DomainError) -> None:
        """The trigger ledger: refused, or nothing was there; the body is kept sealed."""
        if isinstance(error, HookNotFound) and start.path is not None:
            await self._note(
                start,
                TriggerCallUnmatched(
                    call_id=start.call, kind=start.kind, path=start.path, reason="no-such-path",
                    headers=None, body=start.payload, bytes=start.bytes,
                ),
            )  # fmt: skip
            return
        await self._note(
            start,
            TriggerCallRefused(
                call_id=start.call, kind=start.kind, path=start.path, workflow_id=None,
                reason=error.code,
                errors=[RuleBroken(pointer=e.pointer, rule=e.rule) for e in error.errors[:20]],
                body=start.payload,
            ),
        )  # fmt: skip

    async def _note(self, start: Start, fact: Any) -> None:
        await self.engine.store.note(_call_stream(start), [fact], _meta(start))


def _meta(start: Start) -> Meta:
    return Meta(
        organization=start.organization, actor=start.actor, request_id=start.request_id,
        origin=start.origin, traceparent=start.traceparent,
    )  # fmt: skip


def _call_stream(start: Start) -> str:
    return stream_of("call", start.organization, start.call)


def _refusal(start: Start, error: DomainError) -> StartAnswer:
    return StartAnswer("refused", start.execution, start.call, problem=error.to_wire())
