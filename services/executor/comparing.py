"""Two executions beside each other: what ran in one only, gave something else, took longer."""

from typing import TYPE_CHECKING, Any

from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from services.executor.contract import ComparedShown, Outcome, StepCompared
from services.executor.differences import Room, differences
from services.executor.looking import PAYLOADS, execution_opened
from services.executor.signals import history
from services.executor.standing import Standing, standing
from services.executor.work import PURPOSE

if TYPE_CHECKING:
    from services.executor.engine import Engine

STEPS_MAX = 500


async def compare(engine: "Engine", one: str, other: str, meta: Meta) -> ComparedShown:
    """In the order of the first one's log; steps that are the same are counted only."""
    left, values = await _read(engine, one, meta)
    right, others = await _read(engine, other, meta)
    room = Room(0)
    if PAYLOADS in meta.permissions:
        room = Room()
        for execution in (one, other):
            execution_opened(engine, execution, "comparison", meta)
    steps: list[StepCompared] = []
    same = differing = 0
    for path in dict.fromkeys([*values, *others]):
        there = path in values and path in others
        if there and not any(differences(values[path], others[path])):
            same += 1
            continue
        differing += 1
        if len(steps) == STEPS_MAX:
            continue
        steps.append(StepCompared(
            step=path, same=False, duration_ms=_took(left, path),
            other_duration_ms=_took(right, path),
            result=room.given(values.get(path)), other_result=room.given(others.get(path)),
        ))  # fmt: skip
    return ComparedShown(
        execution=one, other=other, same=not steps and _outcome(left) == _outcome(right),
        version=left.state.version, other_version=right.state.version, outcome=_outcome(left),
        other_outcome=_outcome(right), duration_ms=_length(left), other_duration_ms=_length(right),
        steps=steps, same_steps=same,
        differing_steps=differing,
    )  # fmt: skip


async def _read(engine: "Engine", execution: str, meta: Meta) -> tuple[Standing, dict[str, Any]]:
    found = standing(await history(engine, meta, execution))
    key = await engine.service.keys.key(meta.organization, PURPOSE)
    stream = stream_of("execution", meta.organization, execution)
    return found, found.opened(key, stream, found.state.results)


def _took(found: Standing, path: str) -> int | None:
    span = found.spans.get(path)
    if span is None:
        return None
    return max(0, int((span.ended - span.began).total_seconds() * 1000))


def _length(found: Standing) -> int | None:
    return found.finished.duration_ms if found.finished is not None else None


def _outcome(found: Standing) -> Outcome | None:
    return found.finished.outcome if found.finished is not None else None
