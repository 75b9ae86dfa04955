"""Readers: rebuilt from the log, stopped at what they can't handle, and never past it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from tests_support.ledger import (
    META,
    ORG,
    Note,
    Noted,
    Place,
    build_books,
    build_ledger,
    copies_inbox,
    note_many,
    notes,
    notes_view,
    schemas,
)  # fmt: skip

from libs.common import inbox, readers
from libs.common.errors import Unavailable
from libs.common.eventstore import EventStore
from libs.common.messages import Recorded
from libs.common.migrate import migrate
from libs.common.readers import Projection, Reader, follow_own_log
from libs.common.service import Service
from libs.common.testing import PASSWORD, eventually


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "RETRY_S", 0.1)
    monkeypatch.setattr(inbox, "RETRY_S", 0.1)


def _refusing(view: Projection, amount: int = 13) -> Projection:
    """The same view, but it can't handle one amount."""
    handle = view.handlers[Noted.type]

    async def noted(connection: AsyncConnection, event: Noted, recorded: Recorded) -> None:
        await handle(connection, event, recorded)
        if event.amount == amount:
            raise ValueError("13 is not handled")

    view.handlers[Noted.type] = noted
    return view


def _rows(place: Place, service: str, table: str) -> list[tuple[object, ...]]:
    return place.sql(service, f"select org, n, stream, version, amount from {table} order by n")


async def _taken(place: Place, service: str, table: str, count: int) -> list[tuple[object, ...]]:
    async def look() -> list[tuple[object, ...]]:
        return _rows(place, service, table)

    return await eventually(look, lambda rows: len(rows) == count)


def _migrate(place: Place, version: int) -> None:
    passwords = {"ledger": (PASSWORD, PASSWORD), "books": (PASSWORD, PASSWORD)}
    migrate(place.admin_url, schemas(version), passwords, place.settings.database_prefix)


@contextlib.asynccontextmanager
async def _running(service: Service) -> AsyncIterator[Service]:
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


async def test_who_was_answered_reads_what_he_wrote(ledger: Service) -> None:
    for amount in range(1, 6):
        await ledger.bus.ask(Note(amount=amount), META)
        async with ledger.database.read(ORG) as connection:
            assert len((await connection.execute(select(notes))).all()) == amount


async def test_a_number_is_reached_also_when_another_process_reads(ledger: Service) -> None:
    await note_many(ledger.store, [1, 2, 3])
    other = Reader(notes_view(), ledger.database, "ledger")
    assert await other.reached(3, timeout_s=10)
    assert not await other.reached(4, timeout_s=0.1)


async def test_raising_the_version_of_views_rebuilds_the_same_rows(
    place: Place, streams: None
) -> None:
    async with (
        _running(build_ledger(place.settings)) as ledger,
        _running(build_books(place.settings)),
    ):
        await note_many(ledger.store, list(range(20)))
        before = await _taken(place, "ledger", "notes", 20)
        assert await _taken(place, "books", "copies", 20) == before
    _migrate(place, 1)
    assert _rows(place, "ledger", "notes") == _rows(place, "books", "copies") == before
    _migrate(place, 2)
    assert _rows(place, "ledger", "notes") == _rows(place, "books", "copies") == []
    async with (
        _running(build_ledger(place.settings, notes_view(2))),
        _running(build_books(place.settings, copies_inbox(2))),
    ):
        assert await _taken(place, "ledger", "notes", 20) == before
        assert await _taken(place, "books", "copies", 20) == before
    assert place.sql("books", "select version, n from readers where name = 'copies'") == [(2, 20)]


async def test_a_reset_view_is_rebuilt_while_others_write(
    place: Place, ledger: Service, books: Service
) -> None:
    await note_many(ledger.store, list(range(10)))
    await _taken(place, "books", "copies", 10)
    await ledger.readers[0].reset()
    await books.readers[0].reset()
    await note_many(ledger.store, list(range(10)))
    everything = await _taken(place, "ledger", "notes", 20)
    assert [row[4] for row in everything] == [*range(10), *range(10)]
    assert await _taken(place, "books", "copies", 20) == everything


async def test_a_reset_between_reading_and_taking_a_page_is_no_hole(
    place: Place, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, holes = notes_view(), []

    async def hole(_: AsyncConnection, incarnation: int, first: int, last: int) -> None:
        holes.append((first, last))

    view.hole = hole
    reader = Reader(view, store.database, "ledger")
    read, resets = store.page, 0

    async def page(after: int, limit: int) -> tuple[list[Recorded], int, int]:
        nonlocal resets
        found = await read(after, limit)
        if found[0] and after == 2 and not resets:
            resets += 1
            await reader.reset()
        return found

    monkeypatch.setattr(store, "page", page)
    await note_many(store, [1, 2])
    following = asyncio.create_task(follow_own_log(reader, store, asyncio.Event()))
    await _taken(place, "ledger", "notes", 2)
    await note_many(store, [3])
    assert [row[1] for row in await _taken(place, "ledger", "notes", 3)] == [1, 2, 3]
    assert (resets, holes) == (1, [])
    following.cancel()


@pytest.mark.parametrize("where", ["ledger", "books"])
async def test_a_reader_stops_at_what_it_cannot_handle_says_so_and_goes_on_after_a_skip(
    place: Place, streams: None, where: str
) -> None:
    view, inbox_ = notes_view(), copies_inbox()
    table = "notes" if where == "ledger" else "copies"
    _refusing(view if where == "ledger" else inbox_)
    async with (
        _running(build_ledger(place.settings, view)) as ledger,
        _running(build_books(place.settings, inbox_)) as books,
    ):
        service = ledger if where == "ledger" else books
        await note_many(ledger.store, [1, 2])
        await _taken(place, where, table, 2)
        await note_many(ledger.store, [3, 13, 4, 5])
        said = await eventually(service.ready, lambda r: r[f"{where}.reader.{table}"] != "ok")
        assert said[f"{where}.reader.{table}"] == "ValueError at 4 (ledger.event.noted)"
        question = "select n, stopped_at, error from readers where name = %s"
        error = "ValueError at 4 (ledger.event.noted)"

        async def row() -> list[tuple[object, ...]]:
            return place.sql(where, question, table)

        await eventually(row, lambda rows: rows == [(3, 4, error)])
        await asyncio.sleep(0.5)  # several retries: they change nothing and are not recorded again
        assert len(_rows(place, where, table)) == 3
        recorded = (
            "select data->>'reader', data->>'n', data->>'error_type' from log where type = %s"
        )
        stopped = place.sql(where, recorded, f"{where}.event.reader-stopped")
        assert stopped == [(table, "4", "valueerror")]
        place.sql(where, "update readers set skip = 4, skip_reason = 'r' where name = %s", table)
        rows = await _taken(place, where, table, 5)
        assert [row[4] for row in rows] == [1, 2, 3, 4, 5]
        await eventually(service.ready, lambda r: r[f"{where}.reader.{table}"] == "ok")
        assert place.sql(where, question, table)[0][1:] == (None, None)
        assert "13 is not handled" not in str(place.sql(where, "select data::text from log"))


async def test_a_reader_that_had_stopped_is_stopped_after_a_restart_and_says_it_once(
    place: Place, streams: None
) -> None:
    count = "select count(*) from log where type = 'ledger.event.reader-stopped'"

    async def said() -> list[tuple[object, ...]]:
        return place.sql("ledger", count)

    for _ in range(2):
        async with _running(build_ledger(place.settings, _refusing(notes_view()))) as ledger:
            if not place.numbers():
                await note_many(ledger.store, [13, 1])
            await eventually(ledger.ready, lambda r: r["ledger.reader.notes"] != "ok")
            await eventually(said, lambda rows: rows == [(1,)])
            await asyncio.sleep(0.3)  # it tries again, and would say it again
    assert await said() == [(1,)]
    async with _running(build_ledger(place.settings)):
        assert len(await _taken(place, "ledger", "notes", 2)) == 2


async def test_numbers_that_are_missing_in_the_log_itself_stop_a_reader_until_skipped(
    place: Place, store: EventStore
) -> None:
    await note_many(store, [1, 2, 3, 4])
    place.sql("ledger", "delete from log where n in (2, 3)")
    reader = Reader(notes_view(), store.database, "ledger")
    following = asyncio.create_task(follow_own_log(reader, store, asyncio.Event()))

    async def said() -> str | None:
        return reader.stopped

    wanted = "numbers 2 to 3 are missing in the log of ledger"
    await eventually(said, lambda text: text == wanted)
    assert [row[1] for row in _rows(place, "ledger", "notes")] == [1]
    place.sql("ledger", "update readers set skip = 2 where name = 'notes'")
    assert [row[1] for row in await _taken(place, "ledger", "notes", 2)] == [1, 4]
    following.cancel()


async def test_a_stopped_reader_survives_a_store_that_does_not_answer(
    place: Place, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(notes_view(), store.database, "ledger")
    restore, refused = reader.restore, 0

    async def unavailable() -> None:
        nonlocal refused
        refused += 1
        if refused < 3:
            raise Unavailable("the store does not answer", part="store")
        await restore()

    monkeypatch.setattr(reader, "restore", unavailable)
    await note_many(store, [1])
    following = asyncio.create_task(follow_own_log(reader, store, asyncio.Event()))
    await _taken(place, "ledger", "notes", 1)
    assert not following.done()
    following.cancel()
