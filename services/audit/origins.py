"""Hands out the keys of origins, wrapped, to the door alone; no key of details comes with them."""

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import Forbidden
from libs.common.privacy import wrap
from services.audit.contract import SERVICE
from services.audit.contract.origins import (
    FindOriginKeys,
    OriginKeyFound,
    OriginKeysFound,
    origin_kid,
)
from services.audit.daykeys import DayKeys, today_in_utc

DOOR = "system:gateway"


def router(keys: DayKeys, kek: bytes) -> NatsRouter:
    r = NatsRouter()

    @r.subscriber(FindOriginKeys.type, queue=SERVICE)
    async def find_origin_keys(query: FindOriginKeys, meta: CausedBy) -> NatsResponse:
        if meta.actor != DOOR:
            raise Forbidden("only the door seals origins", permission="system")
        keys.refresh()
        today = today_in_utc()
        return reply(OriginKeysFound(keys=[_wrapped(keys, kek, day) for day in (today, today + 1)]))

    return r


def _wrapped(keys: DayKeys, kek: bytes, day: int) -> OriginKeyFound:
    return OriginKeyFound(day=day, wrapped=wrap(kek, origin_kid(day), keys.of(day).origin))
