"""NATS stopped, started and rolled back under load: everything arrives, once, in order."""

import asyncio
import shutil
from collections.abc import Iterator

import pytest
from tests_support.ledger import (
    META,
    Note,
    Place,
    build_books,
    build_ledger,
    note_many,
)  # fmt: skip
from tests_support.servers import nats_users

from libs.common.errors import Unavailable
from libs.common.service import Service
from libs.common.testing import eventually
from libs.embedded.nats import Nats
from libs.embedded.testing import temporary_nats


@pytest.fixture
def server() -> Iterator[Nats]:
    """A server of this test alone: it is stopped and its files are changed."""
    with temporary_nats(nats_users(["ledger", "books"])) as nats:
        yield nats


@pytest.fixture
def here(both: Place, server: Nats) -> Place:
    url = f"nats://127.0.0.1:{server.port}"
    return Place(both.settings.model_copy(update={"nats_url": url}), both.admin_url)


async def _copied(place: Place, count: int) -> None:
    async def look() -> list[int]:
        return place.copied()

    copied = await eventually(look, lambda it: len(it) >= count, 40)
    assert copied == place.numbers()
    assert len(copied) == count


async def _start(place: Place) -> tuple[Service, Service]:
    ledger, books = build_ledger(place.settings), build_books(place.settings)
    await ledger.start()
    await books.start()
    return ledger, books


async def test_nats_that_is_stopped_and_started_under_load_loses_nothing(
    here: Place, server: Nats
) -> None:
    ledger, books = await _start(here)
    done = asyncio.Event()

    async def load(key: str) -> int:
        made = 0
        while not done.is_set():
            await note_many(ledger.store, [1] * 5, key=key)
            made += 5
            await asyncio.sleep(0.01)
        return made

    async def count() -> int:
        return len(here.copied())

    loads = [asyncio.create_task(load(key)) for key in ("a", "b")]
    for kill in (False, True):
        before = len(here.copied())
        await eventually(count, lambda n, before=before: n > before, 40)
        if kill:
            server.stop(grace_s=0)
        else:
            server.stop()
        await eventually(books.ready, lambda ready: ready["books.bus"] == "not connected")
        with pytest.raises(Unavailable) as refused:
            await books.bus.ask(Note(amount=1), META, timeout_s=0.3)
        assert refused.value.extra == {"part": "bus"}
        server.start()
    done.set()
    await _copied(here, sum(await asyncio.gather(*loads)))

    async def connected() -> bool:
        return ledger.bus.connected and books.bus.connected

    await eventually(connected, lambda yes: yes)
    answer = await books.bus.ask(Note(amount=1), META)
    assert answer.version == 1, "what was refused while NATS was away was done later"
    await books.stop()
    await ledger.stop()


@pytest.mark.parametrize("half", ["half", "nothing"])
async def test_jetstream_that_is_rolled_back_is_repaired_from_the_log(
    here: Place, server: Nats, half: str
) -> None:
    ledger, books = await _start(here)
    store, kept = server.data_dir / "store", server.data_dir / "kept"
    await note_many(ledger.store, [1] * 20)
    await _copied(here, 20)
    server.stop()
    shutil.copytree(store, kept)
    server.start()
    await note_many(ledger.store, [2] * 20)
    await _copied(here, 40)

    async def relayed() -> int:
        return ledger.relay.published if ledger.relay else 0

    await eventually(relayed, lambda n: n == 40)
    await books.stop()
    await note_many(ledger.store, [3] * 10)  # published, and then lost before the books take it
    await eventually(relayed, lambda n: n == 50)
    server.stop()
    shutil.rmtree(store)
    if half == "half":
        shutil.copytree(kept, store)
    server.start()
    books = build_books(here.settings)
    await books.start()
    await note_many(ledger.store, [4] * 10)
    await _copied(here, 60)
    await books.stop()
    await ledger.stop()
