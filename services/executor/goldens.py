"""The last executions of a workflow, replayed against another document: a report for people."""

import time
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from libs.common.errors import NotFound
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from libs.common.privacy import DataKey, Forgotten
from services.executor.collecting import seen
from services.executor.contract import GoldenOne, GoldenShown, StepDiffers
from services.executor.differences import Room
from services.executor.documents import Published
from services.executor.drafting import simulator
from services.executor.golden import Compared, Differs, Past, compared
from services.executor.looking import execution_opened
from services.executor.signals import history
from services.executor.simulation import Simulation
from services.executor.standing import standing
from services.executor.versions import document_of
from services.executor.views import executions
from services.executor.work import PURPOSE

if TYPE_CHECKING:
    from services.executor.engine import Engine

ONE_S = 5.0
ALL_S = 30.0
TEXT_MAX = 1000
PATHS_MAX = 100


async def golden(engine: "Engine", found: Published, last: int, meta: Meta) -> GoldenShown:
    """Each of the last ended live executions by itself, newest first."""
    room = Room() if "payloads:read" in meta.permissions else None
    began, shown, skipped = time.monotonic(), [], 0
    for execution in await _last(engine, found.workflow, last, meta):
        one = None
        if time.monotonic() - began < ALL_S:
            one = await _one(engine, found, execution, meta, room)
        skipped += one is None
        shown += [one] if one is not None else []
    differing = sum(not one.same for one in shown)
    return GoldenShown(
        workflow=found.workflow, same=differing == 0, total=len(shown), differing=differing,
        skipped=skipped, executions=shown,
    )  # fmt: skip


async def _last(engine: "Engine", workflow: str, last: int, meta: Meta) -> list[str]:
    t = executions.c
    mine = (t.workflow == workflow) & t.outcome.in_(("succeeded", "failed")) & (t.mode == "live")
    newest = select(t.execution).where(mine).order_by(t.started_at.desc(), t.execution.desc())
    async with engine.service.database.read(meta.organization) as db:
        return list((await db.execute(newest.limit(last))).scalars())


async def _one(
    engine: "Engine", found: Published, execution: str, meta: Meta, room: Room | None
) -> GoldenOne | None:
    """None for one that was forgotten, or whose values can't be read any more."""
    org = meta.organization
    stream = stream_of("execution", org, execution)
    try:
        events = await history(engine, meta, execution)
        key = await engine.service.keys.key(org, PURPOSE)
        past, names, output = _past(key, stream, events)
        await _gathered(engine, org, past, names, key, stream)
    except (Forgotten, NotFound):
        return None
    if room is not None:
        execution_opened(engine, execution, "golden-replay", meta)
    known = await engine.documents.variables(org, found.document.variables)
    names["vars"] = known | names["vars"]
    document = replace(found.document, debounce=None)  # its input is gathered already
    came = await simulator(engine).run(document, names, past, budget_s=ONE_S, org=org)
    return _shown(execution, past, came, compared(past, came, output), room)


def _past(key: DataKey, stream: str, events: list[Any]) -> tuple[Past, dict[str, Any], Any]:
    """What answers, the names that its steps saw, and its output."""
    stood = standing(events)
    state, finished = stood.state, stood.finished
    names = key.open(state.started.input, stream)
    began = datetime.fromisoformat(names["execution"]["started_at"])
    past = Past(
        stood, lambda sealed: key.open(sealed, stream),
        stood.opened(key, stream, state.results), began,
    ).read(events)  # fmt: skip
    sealed = finished.output if finished is not None else None
    return past, names, None if sealed is None else key.open(sealed, stream)


async def _gathered(
    engine: "Engine", org: str, past: Past, names: dict[str, Any], key: DataKey, stream: str
) -> None:
    """The input that its steps saw, where a debounce had gathered several."""
    state = past.standing.state
    if not state.closed:
        return
    debounce = (await document_of(engine, org, state, key)).document.debounce
    if debounce is not None:
        names["input"] = seen(debounce, names["input"], state, key, stream)


def _shown(
    execution: str, past: Past, came: Simulation, found: Compared, room: Room | None
) -> GoldenOne:
    finished = past.standing.finished
    assert finished is not None, "only what has ended was chosen"
    differ = [_differs(one, room) for one in found.differs]
    return GoldenOne(
        execution=execution, version=past.standing.state.version, same=found.same,
        recorded_outcome=finished.outcome,
        outcome=came.outcome,  # pyright: ignore[reportArgumentType] - one of the contract's words
        first=differ[0] if differ else None, differences=differ,
        new_effects=found.new[:PATHS_MAX], missing_effects=found.missing[:PATHS_MAX],
        changed_effects=found.changed[:PATHS_MAX],
    )  # fmt: skip


def _differs(one: Differs, room: Room | None) -> StepDiffers:
    """Without `room` for values there is none for their keys either."""
    return StepDiffers(
        step=one.step, what=one.what,  # pyright: ignore[reportArgumentType] - one of the contract's words
        pointer=one.pointer[:400] if room else "",
        recorded=room.given(one.recorded) if room else None,
        now=room.given(one.now) if room else None,
        detail=one.detail[:TEXT_MAX] if one.detail else None,
    )  # fmt: skip
