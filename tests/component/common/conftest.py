"""Databases and services of the miniature `ledger` and `books` for one test."""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests_support import ledger as mini
from tests_support.producers import delete_streams
from tests_support.servers import Servers

from libs.common.database import Database
from libs.common.eventstore import EventStore
from libs.common.service import Service
from libs.common.testing import PASSWORD, prepare


@pytest.fixture
def place(servers: Servers) -> Iterator[mini.Place]:
    """Both databases, migrated; nothing runs."""
    settings = prepare(servers.admin_url, mini.schemas(), servers.nats_url, servers.prefix())
    yield mini.Place(settings, servers.admin_url)


@pytest.fixture
async def streams(place: mini.Place) -> AsyncIterator[None]:
    """Stream names are global on a NATS server, so a test ends what it began."""
    await delete_streams(place.settings, "ledger", "books")
    yield
    await delete_streams(place.settings, "ledger", "books")


@pytest.fixture
async def store(place: mini.Place) -> AsyncIterator[EventStore]:
    """The ledger's log alone."""
    database = ledger_database(place)
    await database.open()
    yield EventStore(database)
    await database.close()


@pytest.fixture
async def ledger(place: mini.Place, streams: None) -> AsyncIterator[Service]:
    service = mini.build_ledger(place.settings)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def books(ledger: Service, place: mini.Place) -> AsyncIterator[Service]:
    service = mini.build_books(place.settings)
    await service.start()
    yield service
    await service.stop()


def ledger_database(place: mini.Place) -> Database:
    settings = place.settings
    return Database(
        settings.database_url, "ledger", PASSWORD, PASSWORD, settings.database_prefix
    )
