"""Drops a person's keys in every process as soon as identity says that they are destroyed."""

import asyncio
import contextlib
import logging

import msgspec
import nats.errors
from nats.aio.msg import Msg

from libs.common.messages import decode_batch
from libs.common.service import Service
from libs.common.streams import subject_of
from services.audit.people import People
from services.identity import contract as identity

log = logging.getLogger(__name__)


async def drop_destroyed_keys(service: Service, people: People) -> None:
    """For ever; what it misses is forgotten when the key is asked for again."""

    async def came(message: Msg) -> None:
        try:
            for recorded in decode_batch(message.data):
                if recorded.type == identity.KeysDestroyed.type:
                    data = recorded.json()
                    people.drop(str(data["owner_id"]), data["kids"])
        except (msgspec.DecodeError, KeyError) as error:
            log.warning("batch not understood", extra={"error_type": type(error).__name__})

    subscription = await service.bus.nc.subscribe(subject_of(identity.SERVICE), cb=came)
    try:
        await asyncio.Event().wait()
    finally:
        with contextlib.suppress(nats.errors.Error, OSError):
            await subscription.unsubscribe()
