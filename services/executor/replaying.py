"""Replay: a new execution that begins at a step of another one, with what was recorded before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from libs.common import clock, ids
from libs.common.errors import TooLarge
from libs.common.eventstore import rows, stream_of
from libs.common.messages import Event, Meta, Recorded
from libs.common.privacy import DataKey
from libs.language import format_rfc3339
from services.executor.admission import admission_of, refusal
from services.executor.collecting import seen
from services.executor.commit import Admission, Decision
from services.executor.contract import (
    DraftFact,
    ExecutionProgressed,
    ExecutionReplayed,
    ExecutionStarted,
    InputCollected,
    NotCompatible,
    ReplayFact,
    ResultFact,
    StartsCollected,
    TriggerFact,
)  # fmt: skip
from services.executor.documents import Published
from services.executor.domain import Replayed
from services.executor.facts import EVENT_BYTES_MAX
from services.executor.file_values import referred_by
from services.executor.forking import Fork, agreed_before, incompatible, undone_before
from services.executor.names import fitting
from services.executor.signals import history, signal
from services.executor.standing import Standing, standing
from services.executor.versions import document_of, version_of
from services.executor.work import PURPOSE
from services.workflows.contract import AlreadyArchived

if TYPE_CHECKING:
    from services.executor.engine import Engine

RESULTS_MAX = 100
COPY_BYTES_MAX = 32_000_000
REASONS_MAX = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """From where, by which version, and with which input (None: the same)."""

    from_step: str | None = None
    version: Literal["same", "newest"] | int = "same"
    input: Any = None


async def replay_one(engine: "Engine", execution: str, wanted: Wanted, meta: Meta) -> str:
    """The new execution's id once it is promised; the same for the same command.

    Raises NotFound, UnknownStep, NotCompatible, InvalidInput, TooLarge, TooManyRunning.
    """
    org = meta.organization
    events = await history(engine, meta, execution)
    key = await engine.service.keys.key(org, PURPOSE)
    old = standing(events)
    was = await document_of(engine, org, old.state, key)
    now = was if wanted.version == "same" else await version_of(
        engine, org, old.state.started.workflow_id,
        None if wanted.version == "newest" else wanted.version,
    )  # fmt: skip
    if now.archived:
        raise AlreadyArchived("the workflow is archived")
    kept = _kept(old, was, now, wanted)
    new = ids.derived("exe", org, "replay", execution, meta.command_id or ids.new("call"))
    made = await _events(engine, key, old, was, now, new, wanted, kept)
    admission = await _admission(engine, org, old, now, key, made[1])
    stream = stream_of("execution", org, new)
    if (store := engine.calling.files) is not None:
        await store.refer_as(org, execution, new, referred_by(made[1]["input"]))
    done = await engine.commit(
        Decision(stream, new, org, rows(stream, 1, made[0], meta), "keep", admission=admission)
    )
    if done.status in ("busy", "rate", "quota"):
        raise refusal(done.status, admission)
    engine.leases.wake.set()
    if not any(_tells_of(new, one) for one in events):
        await signal(engine, execution, Replayed(new, wanted.from_step, now.version), meta)
    return new


def _tells_of(new: str, one: Recorded) -> bool:
    """The same command may have died between the two commits."""
    return one.type == ExecutionReplayed.type and one.json()["replay_id"] == new


def _kept(old: Standing, was: Published, now: Published, wanted: Wanted) -> list[str]:
    """The paths whose results hold, in the order of the log. Raises NotCompatible, UnknownStep."""
    fork = Fork(was.document, wanted.from_step)
    kept = [path for path in old.state.results if fork.keeps(path)]
    reasons = undone_before(fork, old.state)
    if wanted.input is not None:
        reasons += agreed_before(was.document, kept)
    if now is not was:
        Fork(now.document, wanted.from_step)
        reasons += incompatible(was.document, now.document, kept)
    if reasons:
        raise NotCompatible(
            f"{len(reasons)} things that were recorded before can't be taken over",
            errors=reasons[:REASONS_MAX],
        )
    return kept


async def _events(
    engine: "Engine", key: DataKey, old: Standing, was: Published, now: Published, new: str,
    wanted: Wanted, kept: Sequence[str],
) -> tuple[list[Event], dict[str, Any]]:  # fmt: skip
    org, started = now.org, old.state.started
    before = stream_of("execution", org, started.execution_id)
    stream = stream_of("execution", org, new)
    names = key.open(started.input, before)
    known = await engine.documents.variables(org, now.document.variables)
    names["vars"] = known | names["vars"]
    names["workflow"] = {"name": now.name, "version": now.version}
    names["execution"] = {
        "id": new, "started_at": format_rfc3339(clock.now()),
        "attempt": names["execution"]["attempt"] + 1, "mode": "replay",
    }  # fmt: skip
    if now.document.debounce is None and was.document.debounce is not None and old.state.closed:
        names["input"] = seen(was.document.debounce, names["input"], old.state, key, before)
    if wanted.input is not None or wanted.version != "same":
        given = names["input"] if wanted.input is None else wanted.input
        names["input"] = fitting(now, given)
    body = msgspec.json.encode(names["input"])
    draft = started.draft if wanted.version == "same" else None
    made: list[Event] = [ExecutionStarted(
        execution_id=new, workflow_id=now.workflow, workflow_version=now.version, mode="replay",
        trigger=TriggerFact(
            kind=started.trigger.kind, call_id=ids.derived("call", org, new),
            path=started.trigger.path, depth=started.trigger.depth,
        ),
        idempotency_digest=key.digest(new, "key"), body_digest=key.digest(body, "body"),
        input=key.seal(names, stream), input_bytes=len(body), labels=dict(now.document.labels),
        replays=ReplayFact(execution_id=started.execution_id, from_step=wanted.from_step),
        draft=None if draft is None else _moved(key, draft, before, stream),
    )]  # fmt: skip
    if now.document.debounce is not None:
        made += _gathered(key, old, before, stream, again=wanted.input is None)
    values = old.opened(key, before, kept)
    made += _results(key, stream, old, values)
    return made, names


def _moved(key: DataKey, draft: DraftFact, before: str, stream: str) -> DraftFact:
    def moved(sealed: str) -> str:
        return key.seal(key.open(sealed, before), stream)

    return DraftFact(
        draft_version=draft.draft_version, document=moved(draft.document),
        pins=None if draft.pins is None else moved(draft.pins),
    )  # fmt: skip


def _gathered(
    key: DataKey, old: Standing, before: str, stream: str, *, again: bool
) -> Iterator[Event]:
    """What a debounce had gathered is there from the start; nothing is gathered any more."""
    collected = old.state.collected if again else []
    for number, sealed in enumerate(collected):
        value = key.open(sealed, before)
        yield InputCollected(
            call_id=ids.derived("call", stream, str(number)), input=key.seal(value, stream),
            bytes=len(msgspec.json.encode(value)),
        )  # fmt: skip
    yield StartsCollected(count=len(collected) + 1)


def _results(
    key: DataKey, stream: str, old: Standing, values: dict[str, Any]
) -> Iterator[ExecutionProgressed]:
    """Copies under the new stream's key, in events of the usual size."""
    batch: list[ResultFact] = []
    size = total = used = 0
    for path in values:
        span = old.spans.get(path)
        bytes_ = span.bytes if span is not None else len(msgspec.json.encode(values[path]))
        if batch and (len(batch) >= RESULTS_MAX or size + bytes_ > EVENT_BYTES_MAX):
            yield _progressed(key, stream, batch, values, used)
            batch, size = [], 0
        size, total, used = size + bytes_, total + bytes_, used + 1
        if total > COPY_BYTES_MAX:
            raise TooLarge(f"the results have {total} bytes", limit_bytes=COPY_BYTES_MAX)
        now = clock.now()
        batch.append(ResultFact(
            path=path, kind="copied", started_at=span.began if span else now,
            ended_at=span.ended if span else now, bytes=bytes_,
        ))  # fmt: skip
    if batch:
        yield _progressed(key, stream, batch, values, used)


def _progressed(
    key: DataKey, stream: str, batch: list[ResultFact], values: dict[str, Any], used: int
) -> ExecutionProgressed:
    sealed = key.seal([values[one.path] for one in batch], stream)
    return ExecutionProgressed(results=batch, values=sealed, budget_used=used)


async def _admission(
    engine: "Engine", org: str, old: Standing, now: Published, key: DataKey, names: dict[str, Any]
) -> Admission:
    """A place among those of its concurrency key; it is not counted, nor held back otherwise."""
    if old.state.started.draft is not None or now.document.concurrency is None:
        return Admission(priority=now.document.priority)
    full = await admission_of(engine, org, now, names, key)
    return Admission(priority=full.priority, ckey=full.ckey, climit=full.climit, cthen=full.cthen)
