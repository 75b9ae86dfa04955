"""Two relays for a moment: the one that lost its lease spoils nothing for the one that has it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from tests_support.producers import delete_streams
from tests_support.servers import Servers

from libs.common.bus import Bus
from libs.common.database import Database
from libs.common.eventstore import EventStore, stream_of
from libs.common.messages import Meta, Recorded, decode_batch
from libs.common.relay import Relay
from libs.common.settings import Settings
from libs.common.testing import PASSWORD, prepare
from services.executor.app import SCHEMA
from services.executor.contract import WaitEnded

ORG = "org_1"
STREAM = stream_of("execution", ORG, "exe_a")
META = Meta(organization=ORG, actor="system:test")


class Slow(EventStore):
    """The log as somebody sees it who was stopped: only its first numbers."""

    async def page(self, after: int, limit: int) -> tuple[list[Recorded], int, int]:
        found, head, incarnation = await super().page(after, limit)
        return found[:2], head, incarnation


@dataclass
class World:
    settings: Settings
    database: Database
    bus: Bus

    def relay(self, store: type[EventStore] = EventStore) -> Relay:
        return Relay(store(self.database), self.bus, asyncio.Event())

    async def happen(self, times: int) -> None:
        store = EventStore(self.database)
        await store.note(STREAM, [WaitEnded(path="p", reason="due")] * times, META)

    async def relayed(self) -> int:
        conninfo = self.database.conninfo("system")
        async with await psycopg.AsyncConnection.connect(conninfo) as connection:
            cursor = await connection.execute("select n from readers where name = 'relay'")
            row: Any = await cursor.fetchone()
            return row[0]

    async def on_the_bus(self) -> list[int]:
        js = self.bus.js
        last = (await js.stream_info("EXECUTOR")).state.last_seq
        found: list[int] = []
        for seq in range(1, last + 1):
            data = (await js.get_msg("EXECUTOR", seq)).data or b"[]"
            found += [event.sequence for event in decode_batch(data)]
        return found


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    settings = prepare(servers.admin_url, [SCHEMA], servers.nats_url, servers.prefix())
    await delete_streams(settings, "executor")
    database = Database(
        settings.database_url, "executor", PASSWORD, PASSWORD, settings.database_prefix
    )
    await database.open()
    bus = Bus(servers.nats_url, "executor", "executor", PASSWORD)
    await bus.start()
    yield World(settings, database, bus)
    await bus.stop()
    await database.close()
    await delete_streams(settings, "executor")


async def test_a_late_relay_does_not_set_back_what_the_next_one_published(world: World) -> None:
    await world.happen(6)
    late, holder = world.relay(Slow), world.relay()
    await late._begin()
    await holder._begin()
    await holder._turn()

    await late._turn()

    assert await world.relayed() == 6
    found = await world.on_the_bus()
    assert found[:6] == [1, 2, 3, 4, 5, 6]
    assert set(found[6:]) <= {1, 2}, "what comes twice is passed over by number"


async def test_a_relay_that_begins_while_another_publishes_does_not_take_the_log_for_restored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.happen(2)
    late, holder = world.relay(), world.relay()
    await late._begin()
    await late._turn()
    get_last_msg = world.bus.js.get_last_msg

    async def meanwhile(*given: Any, **more: Any) -> Any:
        await world.happen(1)
        await late._turn()
        return await get_last_msg(*given, **more)

    monkeypatch.setattr(world.bus.js, "get_last_msg", meanwhile)
    await holder._begin()

    assert holder.stopped is None
    assert holder.head == 3
