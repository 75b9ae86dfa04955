"""Stand-ins for services whose events others read: a real log, relay and bus, no handlers."""

from collections.abc import Sequence
from contextlib import suppress
from functools import cache

import nats
from nats.js.errors import NotFoundError
from sqlalchemy import MetaData

from libs.common.eventstore import append_within
from libs.common.messages import Event, Meta
from libs.common.migrate import Schema
from libs.common.privacy import WrappedKey
from libs.common.service import Service
from libs.common.settings import Settings
from libs.common.testing import PASSWORD


@cache
def schema_of(name: str) -> Schema:
    """The database of a stand-in: a log and nothing else. Always the same, for its template."""
    return Schema(name, MetaData())


def stand_in(name: str, settings: Settings) -> Service:
    async def no_key(owner: str, purpose: str) -> WrappedKey | None:
        return None

    return Service(name, settings, fetch_key=no_key)


async def delete_streams(settings: Settings, *services: str) -> None:
    """The bus outlives a test and its streams have the services' names, so the test ends them."""
    connection = await nats.connect(settings.nats_url, user="admin", password=PASSWORD)
    for service in services:
        with suppress(NotFoundError):
            await connection.jetstream().delete_stream(service.upper())
    await connection.close()


async def append(
    service: Service, stream: str, events: Sequence[Event], organization: str, *,
    first: int = 1, actor: str = "per_1", request_id: str = "req_1",
) -> None:  # fmt: skip
    """Appends to the log of a stand-in as its own handler would."""
    meta = Meta(organization=organization, actor=actor, request_id=request_id)
    async with service.database.work() as connection:
        assert await append_within(connection, stream, events, meta, first)
    service.store.appended()
