"""Drops an owner's data keys as soon as identity says that they are destroyed."""

import asyncio
import contextlib
import logging

import msgspec
import nats.errors
from nats.aio.msg import Msg

from libs.common.messages import decode_batch
from libs.common.service import Service
from libs.common.streams import subject_of
from services.identity import contract as identity

log = logging.getLogger(__name__)


async def drop_destroyed_keys(service: Service) -> None:
    """In every process, for ever; what it misses is forgotten when the key is asked for again."""

    async def came(message: Msg) -> None:
        try:
            for recorded in decode_batch(message.data):
                if recorded.type == identity.KeysDestroyed.type:
                    service.keys.drop(str(recorded.json()["owner_id"]))
        except (msgspec.DecodeError, KeyError) as error:
            log.warning("batch not understood", extra={"error_type": type(error).__name__})

    subscription = await service.bus.nc.subscribe(subject_of(identity.SERVICE), cb=came)
    try:
        await asyncio.Event().wait()
    finally:
        with contextlib.suppress(nats.errors.Error, OSError):
            await subscription.unsubscribe()
