"""Migration: a waiting or paused execution goes on with another version, if what ran fits it."""

from typing import TYPE_CHECKING

from libs.common.errors import FieldProblem
from libs.common.eventstore import rows, stream_of
from libs.common.messages import Meta, Recorded
from services.executor import views
from services.executor.commit import Decision
from services.executor.contract import ExecutionEnded, ExecutionRunning, NotCompatible
from services.executor.documents import Published
from services.executor.domain import Migrate
from services.executor.domain import execution as decider
from services.executor.forking import incompatible, inserted
from services.executor.outline import steps_of
from services.executor.paths import place_of
from services.executor.signals import SUBJECT, history
from services.executor.standing import standing
from services.executor.state import Going
from services.executor.versions import document_of, version_of
from services.executor.work import PURPOSE

if TYPE_CHECKING:
    from services.executor.engine import Engine

REASONS_MAX = 50


async def migrate(engine: "Engine", execution: str, version: int, meta: Meta) -> None:
    """Raises NotFound, ExecutionEnded, ExecutionRunning, NotCompatible, InvalidInput."""
    org = meta.organization
    events = await history(engine, meta, execution)
    found = standing(events)
    state = found.state
    if found.finished is not None:
        raise ExecutionEnded("the execution has ended")
    await _must_stand(engine, execution, state, meta)
    key = await engine.service.keys.key(org, PURPOSE)
    was = await document_of(engine, org, state, key)
    now = await version_of(engine, org, state.started.workflow_id, version)
    names = key.open(state.started.input, stream_of("execution", org, execution))
    reasons = reasons_against(was, now, state, set(names["vars"]))
    if reasons:
        raise NotCompatible(
            f"{len(reasons)} things keep it from going on with version {version}",
            errors=reasons[:REASONS_MAX],
        )
    await _move(engine, execution, version, events, meta)


async def _move(
    engine: "Engine", execution: str, version: int, events: list[Recorded], meta: Meta
) -> None:
    """Right behind what was checked: what came meanwhile may not fit. Raises ExecutionRunning."""
    decided = decider.decide(Migrate(version), decider.fold([one.event() for one in events]))
    if not decided:
        return
    stream = stream_of("execution", meta.organization, execution)
    made = await engine.commit(Decision(
        stream, execution, meta.organization, rows(stream, len(events) + 1, decided, meta), "wake"
    ))  # fmt: skip
    if made.status != "won":
        raise ExecutionRunning("it went on meanwhile; pause it first")
    await engine.bus.nc.publish(SUBJECT, execution.encode())
    engine.leases.wake.set()


async def _must_stand(engine: "Engine", execution: str, state: Going, meta: Meta) -> None:
    """Nobody runs it now: who did would go on by the version that it has in memory."""
    if state.cancel is not None or state.rollback is not None:
        raise ExecutionEnded("the execution is ending")
    async with engine.service.database.read(meta.organization) as db:
        standing_now = await views.standing(db, [execution])
    held, _ = standing_now.get(execution, (False, None))
    if held:
        raise ExecutionRunning("it runs at this moment; pause it first")


def reasons_against(
    was: Published, now: Published, state: Going, variables: set[str]
) -> list[FieldProblem]:
    """Why it can't go on with the other version; nothing when it can."""
    old, new = was.document, now.document
    ran = list(dict.fromkeys([*state.results, *state.effects, *state.waits, *state.approvals]))
    reasons = incompatible(old, new, ran) + inserted(old, new, ran)
    there = steps_of(new)
    for path in (*state.waits, *state.undos):
        if place_of(path).id not in there:
            reasons.append(FieldProblem(
                pointer=path, rule="wait-gone", detail=f"{path} is open, and is not there"
            ))  # fmt: skip
    for name in new.variables:
        if name not in variables:
            reasons.append(FieldProblem(
                pointer=f"vars.{name}", rule="variable-missing",
                detail=f"vars.{name} is read there, and was not recorded when it started",
            ))  # fmt: skip
    if state.started.draft is not None:
        reasons.append(FieldProblem(
            pointer="", rule="draft", detail="a run of a draft stays with that draft"
        ))  # fmt: skip
    return list({(one.pointer, one.rule): one for one in reasons}.values())
