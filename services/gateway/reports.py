"""What identity records of access: use per operation and refusals, in one message a second.

A crash loses the last second: this is stated, and why the door needs no log.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import Any, NamedTuple

from libs.common import clock
from libs.common.bus import Bus
from libs.common.errors import DomainError
from libs.common.messages import Meta
from libs.common.origins import Origin
from services.gateway.origins import Origins
from services.identity.contract import AccessReport, RecordAccess

log = logging.getLogger(__name__)
EVERY_S = 1.0
KINDS_MAX = 10_000
MESSAGE_MAX = 2000


class Access(NamedTuple):
    """What is counted apart from each other."""

    organization: str
    actor: str
    operation: str
    status_class: str | None
    reason: str | None
    permission: str | None
    origin: Origin | None = None


@dataclass(slots=True)
class Tally:
    """How often, and the first request of them."""

    count: int
    request_id: str


class Reports:
    """Counts until they are sent; what identity does not take is tried again, up to a bound."""

    def __init__(self, bus: Bus, origins: Origins) -> None:
        self._bus, self._origins = bus, origins
        self._counts: dict[Access, Tally] = {}
        self.lost = 0

    def note(self, access: Access, request_id: str, count: int = 1) -> None:
        tally = self._counts.get(access)
        if tally is not None:
            tally.count += count
        elif len(self._counts) < KINDS_MAX:
            self._counts[access] = Tally(count, request_id)
        else:
            self.lost += count

    async def run(self) -> None:
        """Sends for ever; at the end what is left."""
        try:
            while True:
                await asyncio.sleep(EVERY_S)
                await self.send()
        finally:
            await self.close()

    async def send(self) -> None:
        while self._counts:
            taken = dict(list(self._counts.items())[:MESSAGE_MAX])
            for access in taken:
                del self._counts[access]
            try:
                await self._bus.ask(self._message(taken), Meta.system("gateway"))
            except DomainError as error:
                log.warning("access not recorded", extra={"cause": error.code})
                if error.kind == "unavailable":
                    for access, tally in taken.items():
                        self.note(access, tally.request_id, tally.count)
                return

    async def close(self) -> None:
        with contextlib.suppress(DomainError, asyncio.TimeoutError):
            async with asyncio.timeout(1):
                await self.send()

    def _message(self, counts: dict[Access, Tally]) -> RecordAccess:
        now = clock.now()
        reports: list[dict[str, Any]] = []
        for access, tally in counts.items():
            told = self._origins.told(access.origin)
            reports.append({
                **access._asdict(), "at": now, "count": tally.count,
                "request_id": tally.request_id, "origin": told.origin,
                "origin_digest": told.digest,
            })  # fmt: skip
        return RecordAccess(reports=[AccessReport.model_validate(report) for report in reports])
