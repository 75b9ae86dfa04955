"""Databases and services of the miniature `ledger` and `books` for one test."""

from collections.abc import AsyncIterator

import pytest
from tests_support import ledger as mini
from tests_support.producers import delete_streams
from tests_support.servers import Servers

from libs.common.database import Database
from libs.common.eventstore import EventStore
from libs.common.migrate import Schema
from libs.common.service import Service
from libs.common.testing import PASSWORD, prepare


@pytest.fixture(scope="session")
def schemas(servers: Servers) -> dict[str, Schema]:
    """Both with the roles and the template that they have on these servers."""
    made = mini.schemas()
    prepare(servers.admin_url, made, servers.nats_url, servers.prefix())
    return {schema.service: schema for schema in made}


@pytest.fixture
def place(servers: Servers, schemas: dict[str, Schema]) -> mini.Place:
    """The ledger's database; nothing runs."""
    settings = prepare(
        servers.admin_url, [schemas["ledger"]], servers.nats_url, servers.prefix()
    )  # fmt: skip
    return mini.Place(settings, servers.admin_url)


@pytest.fixture
def both(place: mini.Place, servers: Servers, schemas: dict[str, Schema]) -> mini.Place:
    """The books' database as well."""
    prefix = place.settings.database_prefix
    prepare(servers.admin_url, [schemas["books"]], servers.nats_url, prefix)
    return place


@pytest.fixture
async def streams(both: mini.Place) -> AsyncIterator[None]:
    """Stream names are global on a NATS server, so a test ends what it began."""
    await delete_streams(both.settings, "ledger", "books")
    yield
    await delete_streams(both.settings, "ledger", "books")


@pytest.fixture
async def store(place: mini.Place) -> AsyncIterator[EventStore]:
    """The ledger's log alone."""
    settings = place.settings
    database = Database(
        settings.database_url, "ledger", PASSWORD, PASSWORD, settings.database_prefix
    )
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
