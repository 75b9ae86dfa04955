"""A start from the WORK queue: which version, does the input fit, did it come before; then run."""

import asyncio
import logging
import time
from typing import Any

from nats.aio.msg import Msg

from libs.common import telemetry
from libs.common.bus import InternalError
from libs.common.database import LOST
from libs.common.errors import DomainError, KeyReused, NotFound, Unavailable
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from libs.common.privacy import DataKey, Forgotten
from services.executor import collecting, event_starts
from services.executor.admission import admission_of, refusal
from services.executor.commit import Admission
from services.executor.contract import (
    ExecutionStarted,
    HookNotFound,
    RuleBroken,
    TriggerCallRefused,
    TriggerCallRepeated,
    TriggerCallUnmatched,
)  # fmt: skip
from services.executor.documents import Published
from services.executor.engine import Engine
from services.executor.facts import Duplicate, Refused
from services.executor.names import names_of
from services.executor.run import Run, going
from services.executor.signals import forgotten
from services.executor.state import Ended, Going
from services.executor.work import PURPOSE, Start, StartAnswer, decode_start, encode

log = logging.getLogger(__name__)
PLACE_S = 2.0
AGAIN_S = 0.5
COMMIT_S = 1.0
AGAIN_MAX_S = 60.0
COLLECTED_S = 0.05


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
            if said is not None and start.reply:
                await self.service.bus.nc.publish(start.reply, encode(said))
            if not acknowledged:
                acknowledged = True
                await message.ack()

        with telemetry.span("start", start.traceparent, execution=start.execution):
            if not await self.handle(start, answer) and not acknowledged:
                await message.nak(delay=_again_s(start, message))

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
            await event_starts.must_fit(self.engine, start, found, opened)
            names = await self._names(start, found, opened)
            admission = await admission_of(self.engine, start.organization, found, names, key)
        except Forgotten:
            await answer(_refusal(start, NotFound()))
            return
        except event_starts.NotMeant as error:
            telemetry.EVENTS_PASSED.inc()
            await answer(_refusal(start, error))
            return
        except (Unavailable, *LOST):
            raise
        except DomainError as error:
            await self._refuse(start, error)
            await answer(_refusal(start, error))
            return
        except Exception:
            if start.unattended:
                raise
            log.exception("start failed", extra={"execution": start.execution})
            await answer(_refusal(start, InternalError("the start failed")))
            return
        await self._run(start, key, found, names, admission, answer)

    async def _published(self, start: Start) -> Published:
        found = await self.engine.documents.find(
            start.organization, path=start.path, workflow=start.workflow, version=start.version
        )
        if found is None:
            raise HookNotFound("nothing listens here") if start.path else NotFound()
        if found.archived or (start.kind in ("webhook", "schedule") and not found.enabled):
            raise HookNotFound("the workflow is archived" if found.archived else "it is disabled")
        return found

    async def _names(self, start: Start, found: Published, opened: Any) -> dict[str, Any]:
        trigger = {
            "kind": start.kind, "headers": opened.get("headers", {}),
            "query": opened.get("query", {}), "call": start.call, **start.facts,
        }  # fmt: skip
        listening = found.trigger(start.path, start.trigger)
        return await names_of(
            self.engine, start.organization, found, start.execution, trigger,
            event_starts.input_of(start, opened),
            with_=listening.with_ if listening is not None else None, event=opened.get("event"),
        )  # fmt: skip

    async def _run(
        self, start: Start, key: DataKey, found: Published, names: dict[str, Any],
        admission: Admission, answer: Any,
    ) -> None:  # fmt: skip
        stream = stream_of("execution", start.organization, start.execution)
        started = ExecutionStarted.model_construct(
            execution_id=start.execution, workflow_id=found.workflow,
            workflow_version=found.version, mode="live",
            trigger=event_starts.fact_of(start),
            idempotency_digest=start.key_digest, body_digest=start.body_digest,
            input=key.seal(names, stream), input_bytes=start.bytes,
            labels=dict(found.document.labels), concurrency_key=admission.ckey,
        )  # fmt: skip
        run = Run(
            self.engine, start.organization, start.execution, found.document, key, _meta(start),
            started=started, names=names,
        )  # fmt: skip
        run.admission = admission
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
            patience_s = 0.0 if start.unattended else max(0.0, min(PLACE_S, left_s))
            if await self.engine.place(start.organization, patience_s):
                await self.engine.carry(run)
            else:
                await run.flush(leased=False)
        except Refused as refused:
            await self._not_admitted(start, run, refused, answer)
        except Duplicate:
            await answer(await self._again(start))

    async def _not_admitted(self, start: Start, run: Run, refused: Refused, answer: Any) -> None:
        """No place: told so, or its input goes to the execution that gathers them."""
        if refused.why != "collected" or refused.by is None:
            error = refusal(refused.why, run.admission)
            await self._refuse(start, error)
            await answer(_refusal(start, error))
            return
        debounce = run.document.debounce
        assert debounce is not None, "only a debounced start is collected"
        given = await collecting.give(
            self.engine, refused.by, start.call, run.names["input"], run.key, _meta(start),
            debounce.window_s, debounce.max_s,
        )  # fmt: skip
        if given:
            await answer(StartAnswer("started", refused.by, start.call))
            return
        await asyncio.sleep(COLLECTED_S)  # the one that gathered has begun; its row goes with that
        await self.handle(start, answer)

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
        if isinstance(state, Ended) and await forgotten(self.engine, start.execution):
            return _refusal(start, NotFound())
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
                call_id=start.call, kind=start.kind, path=start.path, workflow_id=start.workflow,
                reason=error.code,
                errors=[RuleBroken(pointer=e.pointer, rule=e.rule) for e in error.errors[:20]],
                body=start.payload,
            ),
        )  # fmt: skip

    async def _note(self, start: Start, fact: Any) -> None:
        await self.engine.store.note(_call_stream(start), [fact], _meta(start))


def _again_s(start: Start, message: Msg) -> float:
    """When to offer it again: soon to who waits for an answer, ever later to nobody."""
    if not start.unattended:
        return AGAIN_S
    return min(AGAIN_MAX_S, AGAIN_S * 2.0 ** min(message.metadata.num_delivered or 1, 10))


def _meta(start: Start) -> Meta:
    return Meta.model_construct(
        organization=start.organization, actor=start.actor, request_id=start.request_id,
        origin=start.origin, traceparent=start.traceparent,
    )  # fmt: skip


def _call_stream(start: Start) -> str:
    return stream_of("call", start.organization, start.call)


def _refusal(start: Start, error: DomainError) -> StartAnswer:
    return StartAnswer("refused", start.execution, start.call, problem=error.to_wire())
