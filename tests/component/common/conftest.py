"""Databases and services of the miniature `ledger` and `books` for one test."""

from collections.abc import AsyncIterator

import psycopg
import pytest
from tests_support import ledger as mini
from tests_support.producers import delete_streams
from tests_support.servers import Servers

from libs.common.database import Database
from libs.common.eventstore import EventStore
from libs.common.service import Service
from libs.common.settings import Settings
from libs.common.testing import PASSWORD, prepare


@pytest.fixture(scope="session")
def template(servers: Servers) -> Settings:
    """Both databases, migrated once; nobody is connected to them."""
    return prepare(servers.admin_url, mini.schemas(), servers.nats_url, servers.prefix())


def _copy(place: mini.Place, template: Settings, service: str) -> None:
    name = f"{place.settings.database_prefix}{service}"
    with psycopg.connect(place.admin_url, autocommit=True) as admin:
        for statement in (
            f"create database {name} owner {service}_owner"
            f" template {template.database_prefix}{service} strategy file_copy",
            f"revoke all on database {name} from public",
            f"grant connect on database {name} to {service}_system, {service}_reader",
        ):
            admin.execute(statement.encode())


@pytest.fixture
def place(servers: Servers, template: Settings) -> mini.Place:
    """A copy of the ledger's database; nothing runs."""
    settings = template.model_copy(update={"database_prefix": servers.prefix()})
    made = mini.Place(settings, servers.admin_url)
    _copy(made, template, "ledger")
    return made


@pytest.fixture
def both(place: mini.Place, template: Settings) -> mini.Place:
    """The books' database as well."""
    _copy(place, template, "books")
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
