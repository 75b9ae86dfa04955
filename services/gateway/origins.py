"""Where requests come from, sealed for the trail under the day's key, which audit hands out.

Without a key requests go on and say nothing of their origin; that is counted.
"""

import asyncio
import ipaddress
import logging
import time
from functools import lru_cache
from typing import NamedTuple

from libs.common import clock, telemetry
from libs.common.bus import Bus
from libs.common.errors import DomainError
from libs.common.messages import Meta
from libs.common.origins import Origin, OriginKey
from libs.common.privacy import KEEP_S, unwrap
from services.audit.contract import FindOriginKeys, OriginKeysFound, origin_kid

log = logging.getLogger(__name__)
AGENT_MAX = 1000
LOOK_S = 1.0
DAY_S = 86_400


class Told(NamedTuple):
    """An origin for what is folded: sealed, and a digest by which equal ones meet."""

    origin: str | None
    digest: str | None


class Origins:
    """The keys of today and tomorrow; those of days that are over are dropped."""

    def __init__(self, bus: Bus, kek: bytes) -> None:
        self._bus, self._kek = bus, kek
        self._keys: dict[int, OriginKey] = {}
        self._asked_at = 0.0

    def seal(self, origin: Origin) -> str | None:
        """None when audit could not be asked yet."""
        key = self._keys.get(int(clock.seconds()) // DAY_S)
        if key is None:
            telemetry.WITHOUT_ORIGIN.inc()
            return None
        return key.seal(origin)

    def told(self, origin: Origin | None) -> Told:
        key = self._keys.get(int(clock.seconds()) // DAY_S)
        if key is None or origin is None:
            return Told(None, None)
        return Told(key.seal(origin), key.digest(origin))

    async def run(self) -> None:
        """Asks for ever: at once while the day has no key, else now and then."""
        while True:
            today = int(clock.seconds()) // DAY_S
            if today not in self._keys or time.monotonic() > self._asked_at + KEEP_S:
                await self._ask(today)
            await asyncio.sleep(LOOK_S)

    async def _ask(self, today: int) -> None:
        self._asked_at = time.monotonic()
        try:
            answer = await self._bus.ask(FindOriginKeys(), Meta.system("gateway"))
        except DomainError as error:
            log.info("no key of origins", extra={"cause": error.code})
            return
        found = answer.as_a(OriginKeysFound)
        self._keys = {day: key for day, key in self._keys.items() if day >= today} | {
            one.day: OriginKey(one.day, unwrap(self._kek, origin_kid(one.day), one.wrapped))
            for one in found.keys
            if one.day >= today
        }


def origin_of(client: tuple[str, int] | None, agent: bytes | None) -> Origin:
    """What is told of a request: what a proxy says that is no address is left out."""
    said = agent.decode("latin-1")[:AGENT_MAX] if agent else None
    return Origin(_address(client[0]) if client else None, said)


@lru_cache(4096)
def _address(text: str) -> str | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)
