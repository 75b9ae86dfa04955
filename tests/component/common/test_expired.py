"""Streams that leave the log whole: their numbers are expired, and nobody takes them for lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from tests_support.ledger import (
    META,
    ORG,
    Noted,
    Place,
    build_books,
    build_ledger,
    note_many,
)  # fmt: skip

from libs.common import expired, inbox, readers
from libs.common.database import Database
from libs.common.eventstore import EventStore, append_within, stream_of
from libs.common.log_page import LogPage
from libs.common.service import Service
from libs.common.testing import PASSWORD, eventually

OLD, KEPT = stream_of("ledger", ORG, "old"), stream_of("ledger", ORG, "kept")
ALL = 1 << 40


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "RETRY_S", 0.1)
    monkeypatch.setattr(inbox, "RETRY_S", 0.1)


async def expire(store: EventStore, *names: str, upto: int = ALL) -> list[str]:
    return (await bite(store, *names, upto=upto))[0]


async def bite(
    store: EventStore, *names: str, upto: int = ALL, most: int = 500
) -> tuple[list[str], int]:
    """Streams that are gone, and how many events went."""
    async with store.database.hot.connection() as connection:
        cursor = await connection.execute(
            "select gone, events from expire_streams(%s, %s, %s)", (list(names), upto, most)
        )
        row = await cursor.fetchone()
    assert row is not None
    return row


async def versions(store: EventStore, name: str) -> list[int]:
    return [event.streamversion for event in await store.load(name)]


@asynccontextmanager
async def running(place: Place) -> AsyncIterator[tuple[Service, Service]]:
    ledger, books = build_ledger(place.settings), build_books(place.settings)
    await asyncio.gather(ledger.start(), books.start())
    try:
        yield ledger, books
    finally:
        await asyncio.gather(ledger.stop(), books.stop())


async def mixed(store: EventStore) -> None:
    """1 old, 2 kept, 3 old, 4 old, 5 kept, 6 old."""
    for key in ("old", "kept", "old", "old", "kept", "old"):
        await note_many(store, [7], key)


async def numbers(place: Place, service: str, table: str) -> list[int]:
    return [n for (n,) in place.sql(service, f"select n from {table} order by n")]


async def at(place: Place, service: str, reader: str) -> int:
    return sum(n for (n,) in place.sql(service, "select n from readers where name = %s", reader))


async def stopped(service: Service) -> str | None:
    return service.readers[0].stopped


async def test_who_begins_anew_passes_expired_numbers_and_goes_on(
    both: Place, streams: None
) -> None:
    async with running(both) as (ledger, books):
        await mixed(ledger.store)
        await eventually(lambda: at(both, "books", "copies"), lambda n: n == 6)
        await eventually(lambda: at(both, "ledger", "notes"), lambda n: n == 6)
        assert await expire(ledger.store, OLD) == [OLD]
        await ledger.readers[0].reset()
        await books.readers[0].reset()
    async with running(both) as (ledger, books):
        for service, table in (("ledger", "notes"), ("books", "copies")):
            await eventually(lambda s=service, t=table: at(both, s, t), lambda n: n == 6)
            assert await numbers(both, service, table) == [2, 5]
        await note_many(ledger.store, [1], "kept")
        await eventually(lambda: numbers(both, "books", "copies"), lambda n: n == [2, 5, 7])
        assert [r.stopped for r in (*ledger.readers, *books.readers)] == [None, None]


async def test_a_page_names_them_and_a_log_of_nothing_else_is_passed_whole(
    both: Place, streams: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(both) as (ledger, books):
        await mixed(ledger.store)
        await eventually(lambda: at(both, "books", "copies"), lambda n: n == 6)
        await eventually(lambda: at(both, "ledger", "notes"), lambda n: n == 6)

        async def page(after: int, limit: int = 500) -> tuple[list[int], list[int]]:
            ask = LogPage(after=after, limit=limit)
            value = (await books.bus.ask(ask, META, subject="ledger.query.log-page")).value
            return [event["sequence"] for event in value["events"]], value["expired"]

        assert await page(0) == ([1, 2, 3, 4, 5, 6], [])
        await expire(ledger.store, OLD)
        assert await page(0) == ([2, 5], [1, 3, 4, 6])
        assert await page(0, 1) == ([2], [1])
        assert await page(2) == ([5], [3, 4, 6])
        await expire(ledger.store, KEPT)
        monkeypatch.setattr(expired, "EXPIRED_MAX", 2)
        assert await page(1) == ([], [2, 3]), "no more than fit"
        await ledger.readers[0].reset()
        await books.readers[0].reset()
    async with running(both):
        for service, table in (("ledger", "notes"), ("books", "copies")):
            await eventually(lambda s=service, t=table: at(both, s, t), lambda n: n == 6)
            assert await numbers(both, service, table) == []


@pytest.mark.parametrize("lost", [2, 5, 7])
async def test_a_number_that_is_lost_beside_expired_ones_is_still_a_hole(
    both: Place, streams: None, lost: int
) -> None:
    """Between others, behind the last event that is left, and at the head."""
    async with running(both) as (ledger, books):
        await mixed(ledger.store)
        await note_many(ledger.store, [7], "kept")
        await eventually(lambda: at(both, "books", "copies"), lambda n: n == 7)
        await eventually(lambda: at(both, "ledger", "notes"), lambda n: n == 7)
        await expire(ledger.store, OLD)
        await ledger.readers[0].reset()
        await books.readers[0].reset()
    both.sql("ledger", "delete from log where n >= %s and stream = %s", lost, KEPT)
    async with running(both) as (ledger, books):
        for service in (ledger, books):
            said = await eventually(lambda of=service: stopped(of), bool)
            assert said == f"numbers {lost} to {lost} are missing in the log of ledger"
        assert await at(both, "books", "copies") == lost - 1


async def test_an_event_that_is_not_handled_beside_expired_ones_stops_its_reader_there(
    both: Place, streams: None
) -> None:
    async with running(both) as (ledger, books):
        await mixed(ledger.store)
        await eventually(lambda: at(both, "books", "copies"), lambda n: n == 6)
        await eventually(lambda: at(both, "ledger", "notes"), lambda n: n == 6)
        await expire(ledger.store, OLD)
        await books.readers[0].reset()
    both.sql("books", "alter table copies add check (n <> 5)")
    async with running(both) as (ledger, books):
        await eventually(lambda: stopped(books), bool)
        assert await numbers(both, "books", "copies") == [2]
        both.sql("books", "update readers set skip = 5 where name = 'copies'")
        await eventually(lambda: at(both, "books", "copies"), lambda n: n == 6)


async def test_a_stream_with_a_number_that_somebody_lacks_stays_whole(store: EventStore) -> None:
    await mixed(store)
    assert await expire(store, OLD, KEPT, "ledger-org_1-none", upto=5) == [
        KEPT, "ledger-org_1-none",
    ]  # fmt: skip
    assert [event.sequence for event in await store.load(OLD)] == [1, 3, 4, 6]
    assert await expire(store, OLD, upto=6) == [OLD]
    assert (await store.page(0, 10))[:2] == ([], 6)


async def test_no_more_goes_at_once_than_was_asked_for_and_the_oldest_goes_first(
    store: EventStore,
) -> None:
    await mixed(store)
    assert await bite(store, OLD, KEPT, most=3) == ([], 3)
    assert (await versions(store, OLD), await versions(store, KEPT)) == ([4], [1, 2])
    assert await bite(store, OLD, KEPT, most=2) == ([OLD], 2)
    assert await versions(store, KEPT) == [2]
    assert await bite(store, OLD, KEPT, most=2) == ([OLD, KEPT], 1)
    assert await bite(store, OLD, KEPT, most=2) == ([OLD, KEPT], 0)


async def test_a_stream_that_is_half_gone_is_still_guarded_at_its_end(store: EventStore) -> None:
    await mixed(store)
    await bite(store, OLD, most=3)
    async with store.database.work() as connection:
        assert not await append_within(connection, OLD, [Noted(amount=1)], META, first=1)
    await note_many(store, [1], "old")
    assert await bite(store, OLD, upto=6) == ([], 0), "somebody lacks its last number"
    assert await versions(store, OLD) == [4, 5]


async def test_what_comes_too_late_for_a_stream_that_is_gone_is_refused(store: EventStore) -> None:
    await mixed(store)
    await expire(store, OLD)
    async with store.database.work() as connection:
        assert not await append_within(connection, OLD, [Noted(amount=1)], META, first=5)


def test_only_the_function_of_its_own_role_takes_anything_out_of_the_log(place: Place) -> None:
    names = Database(
        place.settings.database_url, "ledger", PASSWORD, PASSWORD, place.settings.database_prefix
    )
    for role, statements in {
        "system": ("delete from log", "delete from expired", "insert into expired values (0, 1)",
                   "set role ledger_expire"),
        "reader": ("select expire_streams('{}', 1)", "select * from expired"),
    }.items():  # fmt: skip
        with psycopg.connect(names.conninfo(role), autocommit=True) as connection:
            for statement in statements:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement.encode())
    owner = "select pg_get_userbyid(proowner), prosecdef from pg_proc where proname = %s"
    assert place.sql("ledger", owner, "expire_streams") == [("ledger_expire", True)]
    assert place.sql("ledger", owner, "append") == [("ledger_append", True)]
