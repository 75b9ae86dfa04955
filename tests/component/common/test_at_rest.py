"""What a service does when nothing happens: it keeps few connections, and misses nothing."""

import asyncio

import pytest
from sqlalchemy import text
from tests_support.ledger import Place, build_ledger, note_many

from libs.common import database, readers, relay
from libs.common.service import Service
from libs.common.testing import eventually


async def test_connections_that_nobody_needs_any_more_are_closed(
    monkeypatch: pytest.MonkeyPatch, place: Place, streams: None
) -> None:
    monkeypatch.setattr(database, "REST_S", 0.1)
    ledger = build_ledger(place.settings)
    await ledger.start()

    async def use() -> None:
        async with ledger.database.work() as connection:
            await connection.execute(text("select pg_sleep(0.05)"))

    def kept() -> int:
        return len(place.sql(
            "ledger", "select from pg_stat_activity where datname = current_database()"
            " and usename = 'ledger_system' and position('pg_sleep' in query) > 0",
        ))  # fmt: skip

    async def look() -> int:
        return await asyncio.to_thread(kept)

    for _ in range(2):
        await asyncio.gather(use(), use())
        await eventually(look, lambda count: count == 0)
    await ledger.stop()


async def test_what_was_appended_by_a_process_that_died_before_it_woke_anybody_is_published(
    monkeypatch: pytest.MonkeyPatch, place: Place, books: Service, ledger: Service
) -> None:
    for module in (readers, relay):
        monkeypatch.setattr(module, "POLL_S", 3600.0)
    ledger.store.appended = lambda: None
    await note_many(ledger.store, [1, 2, 3])

    async def look() -> list[int]:
        return place.copied()

    await eventually(look, lambda copied: len(copied) == 3)
