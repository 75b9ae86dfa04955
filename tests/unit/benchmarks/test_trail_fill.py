"""What the trail is filled with for measuring is what the writer would have written."""

import os
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest

from benchmarks import trail_events as made
from benchmarks.trail_events import Events, Span
from benchmarks.trail_fill import Rows, trail_of
from benchmarks.trail_store import KEK, Keys
from libs.common.privacy import KeyRing
from libs.trail.canonical import day_of
from services.audit.batch import Batch
from services.audit.daykeys import DayKeys
from services.audit.detail import unseal
from services.audit.people import People

END = datetime.now(UTC)
SPAN = Span(4_000, END - timedelta(days=3), END)


def test_every_trail_is_numbered_without_a_gap():
    seen: dict[str, list[int]] = {}
    for n in range(SPAN.count):
        seen.setdefault(made.organization_of(n), []).append(made.seq_of(n))

    assert all(numbers == list(range(len(numbers))) for numbers in seen.values())
    assert len(seen[made.LARGE]) == SPAN.count * 9 // 10


def test_a_day_begins_with_its_first_event():
    for day in range(day_of(SPAN.begin) + 1, day_of(SPAN.end) + 1):
        first = SPAN.first_of(day)
        assert day_of(SPAN.time_of(first - 1)) < day <= day_of(SPAN.time_of(first))


@pytest.mark.parametrize("n", [2, 3, 5, 9, 11])
async def test_a_row_opens_and_is_indexed_as_the_writers(n: int, tmp_path: Path):
    keys, fetch = DayKeys((tmp_path / "one", tmp_path / "two")), Keys()
    people = People(KeyRing(KEK, fetch.fetch), KEK, fetch.fetch_by_id)
    persons = await people.of([made.BUSY, *(f"per_{at}" for at in range(made.PEOPLE))])
    (event,) = Events(SPAN, keys).some(range(n, n + 1), "executor", 1)
    key = keys.of(day_of(event.time))

    row = Rows(key, persons).row(event, n, BytesIO(os.urandom(200)).read)
    trail = trail_of(event.organization)
    (ready,) = Batch(keys, persons, 1, day_of(END)).ready([event], {event.organization: trail})

    assert row[4:] == ready.indexes
    opened = await unseal(row.sealed, key, trail, row.seq, people)
    assert opened is not None
    assert (opened["actor"], opened["type"]) == (event.actor, event.type)
