"""Records that a reader goes on behind an event: the event of it and the mark, in one commit."""

import asyncio
import base64
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from sqlalchemy import text

from cli.store import Stores
from libs.common import lifecycle
from libs.common.database import Database
from libs.common.decider import Decider
from libs.common.eventstore import EventStore, stream_of
from libs.common.messages import Meta
from libs.common.privacy import DataKey


def record_skip(stores: Stores, service: str, reader: str, n: int, reason: str) -> None:
    """Appends `event-skipped` to the service's log and sets `readers.skip`."""
    asyncio.run(_record(stores, service, reader, n, reason))


def instance_key(kek: bytes) -> DataKey:
    """For what an operator writes about the installation, which has no organization's key."""
    secret = HKDFExpand(SHA256(), 32, b"troth-instance-content").derive(kek)
    return DataKey("instance", "content", "instance", secret)


async def _record(stores: Stores, service: str, reader: str, n: int, reason: str) -> None:
    settings, secrets = stores.settings_of(service), stores.secrets()
    stream = stream_of("readers", "instance", service)
    sealed = instance_key(base64.b64decode(secrets.key_encryption_key)).seal(reason, stream)
    fact = lifecycle.of(service).event_skipped(reader=reader, n=n, reason=sealed)
    decider: Decider[None, None] = Decider(None, lambda c, s: [fact], lambda s, e: s)
    database = Database(
        f"postgresql://{settings['host']}:{settings['port']}", service, settings["password"], "",
        settings["dbname"].removesuffix(service),
    )  # fmt: skip

    async def mark(connection: Any) -> None:
        await connection.execute(
            text("update readers set skip = :n, skip_reason = :why where name = :name"),
            {"n": n, "why": sealed, "name": reader},
        )

    await database.open()
    try:
        meta = Meta.system("operator", "instance")
        await EventStore(database).execute(decider, stream, None, meta, beside=mark)
    finally:
        await database.close()
