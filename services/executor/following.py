"""The timeline of one execution from a place on, without reading what came before it."""

import re

from libs.common.errors import Malformed, NotFound
from libs.common.eventstore import EventStore, stream_of
from libs.common.following import Followed, Stretch
from libs.common.messages import Meta, Recorded
from services.executor.contract import (
    ExecutionFinished,
    ExecutionReplayed,
    FollowTimeline,
    ReversalEnded,
    TimelineEntry,
)  # fmt: skip
from services.executor.engine import Engine
from services.executor.signals import forgotten
from services.executor.timeline import entries

EVENTS_MAX = 100
ENDS = (ExecutionFinished.type, ReversalEnded.type)
_PLACE = re.compile(r"(\d{1,9})\.(\d{1,6})")


async def follow(engine: Engine, query: FollowTimeline, meta: Meta) -> Stretch[TimelineEntry]:
    """NotFound for what is not there; a place that never was is a reset, from the beginning on."""
    store = engine.store
    stream = stream_of("execution", meta.organization, query.execution_id)
    version, number = _parsed(query.after)
    # With the event that the place is in: it may have more entries.
    found = await _read(store, stream, max(0, version - 1))
    never_was = version and not (found and found[0].streamversion == version)
    if never_was:
        found = await _read(store, stream, 0)
    if not found or await forgotten(engine, query.execution_id):
        raise NotFound()
    if never_was:
        return Stretch(data=[], upto="0.0", reset=True, more=True)
    data: list[Followed[TimelineEntry]] = []
    place, last = (version, number), found[-1]
    for recorded in found:
        for at, entry in enumerate(entries([recorded]), 1):
            if (recorded.streamversion, at) <= (version, number):
                continue
            place = (recorded.streamversion, at)
            data.append(Followed(place=_said(place), thing=entry))
            if len(data) == query.limit:
                return Stretch(data=data, upto=_said(place), more=True)
    ended = last.type in ENDS or await _finished(store, last)
    if last.streamversion > place[0]:
        place = (last.streamversion, 0)
    return Stretch(
        data=data, upto=_said(place), more=len(found) == EVENTS_MAX and not ended, ended=ended
    )


async def _finished(store: EventStore, last: Recorded) -> bool:
    """That it was replayed may be told behind its end, and to one that runs as well."""
    if last.type != ExecutionReplayed.type:
        return False
    async with store.database.hot.connection() as connection:
        end = (last.subject, ExecutionFinished.type)
        return bool(await store.select(connection, "where stream = %s and type = %s", end))


async def _read(store: EventStore, stream: str, since: int) -> list[Recorded]:
    async with store.database.hot.connection() as connection:
        return await store.select(
            connection, "where stream = %s and version > %s order by version limit %s",
            (stream, since, EVENTS_MAX),
        )  # fmt: skip


def _parsed(place: str | None) -> tuple[int, int]:
    if place is None:
        return 0, 0
    found = _PLACE.fullmatch(place)
    if found is None:
        raise Malformed("this place was not given by us")
    return int(found[1]), int(found[2])


def _said(place: tuple[int, int]) -> str:
    return f"{place[0]}.{place[1]}"
