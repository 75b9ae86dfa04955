"""Snapshots of long executions: what still matters of each stretch of the log, in one row.

A stretch of events becomes its results that no finished item or branch has taken in, sealed
together, and its other events that still say something. Going on at item 9,999 then reads
stretches and the few events behind the last one. Rows can be lost: the log says it all.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from psycopg import AsyncConnection

from libs.common.eventstore import encode
from libs.common.messages import EVENTS, Event, Recorded
from services.executor.contract import (
    EffectBegan,
    EffectEnded,
    EventOffered,
    ExecutionProgressed,
    ExecutionStarted,
    WaitBegan,
    WaitEnded,
)  # fmt: skip
from services.executor.places import Places
from services.executor.state import Going, Sealed, evolve

if TYPE_CHECKING:
    from services.executor.run import Run

EVERY_EVENTS = 80


class Stretch(msgspec.Struct):
    """`values` is one sealed object of results by path; `events` are [type, data] in order."""

    values: str
    paths: list[str]
    events: list[tuple[str, msgspec.Raw]]
    steps: int
    effects: int


_decode = msgspec.json.Decoder(Stretch).decode


def keep(run: "Run", places: Places, recorded: Sequence[Recorded]) -> Stretch:
    """What is left of a stretch of a run's log, by what the run knows at its end."""
    for one in recorded:
        if one.type == ExecutionProgressed.type:
            run.noted.update(result["path"] for result in one.json()["results"])
    values: dict[str, Any] = {}
    events: list[tuple[str, msgspec.Raw]] = []
    begun: set[str] = set()
    steps = effects = 0
    # By the stretch alone: the run has gone on meanwhile, and its state knows later ends.
    sent, over, undoable = _effects_of(recorded)
    for one in recorded:
        match event := one.event():
            case ExecutionStarted() | EventOffered():
                continue
            case ExecutionProgressed(results=results):
                steps += len(results)
                opened = run.open(event.values)
                for result, value in zip(results, opened, strict=True):
                    if not places.taken_in(result.path, run.noted):
                        values[result.path] = value
            case EffectBegan():
                if event.path not in over or event.path in undoable:
                    events.append(_pair(event))
                else:
                    effects += 1
            case EffectEnded(outcome="done") if event.value is not None:
                steps += 1
                if not places.taken_in(event.path, run.noted):
                    values[event.path] = run.open(event.value)
                if event.undo is not None or event.path not in sent:
                    events.append(_pair(event.model_copy(update={"value": None})))
            case EffectEnded():
                if event.path not in over:
                    events.append(_pair(event))
            case WaitBegan(execution_id=None) if places.taken_in(event.path, run.noted):
                begun.add(event.path)
            case WaitEnded() if event.path in begun and event.event_id is None:
                continue
            case _:
                events.append(_pair(event))
    return Stretch(run.seal(values), list(values), events, steps, effects)


def _effects_of(recorded: Sequence[Recorded]) -> tuple[set[str], set[str], set[str]]:
    """Paths of effects that began in a stretch, that are done in it, and those to undo of these."""
    sent = {one.json()["path"] for one in recorded if one.type == EffectBegan.type}
    ends = [one.json() for one in recorded if one.type == EffectEnded.type]
    over = {end["path"] for end in ends if end["outcome"] == "done" and end["value"] is not None}
    return sent, over, {end["path"] for end in ends if end.get("undo") is not None}


def _pair(event: Event) -> tuple[str, msgspec.Raw]:
    return event.type, msgspec.Raw(event.model_dump_json().encode())


async def write(connection: AsyncConnection[Any], run: "Run", upto: int, kept: Stretch) -> None:
    await connection.execute(
        "insert into snapshots (execution, upto, org, body) values (%s, %s, %s, %s)"
        " on conflict do nothing",
        (run.id, upto, run.org, encode(kept).decode()),
    )


async def read(
    connection: AsyncConnection[Any], executions: Sequence[str]
) -> dict[str, tuple[int, list[Stretch]]]:
    """Up to which version each execution has stretches, and these in order."""
    cursor = await connection.execute(
        "select execution, upto, body from snapshots where execution = any(%s)"
        " order by execution, upto", (list(executions),),
    )  # fmt: skip
    found: dict[str, tuple[int, list[Stretch]]] = {}
    for execution, upto, body in await cursor.fetchall():
        _, stretches = found.get(execution, (0, []))
        found[execution] = (upto, [*stretches, _decode(body)])
    return found


def restored(started: ExecutionStarted, stretches: Sequence[Stretch]) -> Going:
    """The state that the stretches make."""
    state = Going(started)
    for stretch in stretches:
        for path in stretch.paths:
            state.results[path] = Sealed(stretch.values, path)
        for kind, data in stretch.events:
            evolve(state, EVENTS[kind].model_validate_json(bytes(data)))
        state.steps += stretch.steps
        state.effects_seen += stretch.effects
    return state
