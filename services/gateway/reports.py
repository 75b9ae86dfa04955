"""What identity records of access: use per operation and refusals, in one message a second.

A crash loses the last second: this is stated, and why the door needs no log.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

from libs.common.bus import Bus
from libs.common.errors import DomainError
from libs.common.messages import Meta
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


class Reports:
    """Counts until they are sent; what identity does not take is tried again, up to a bound."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._counts: Counter[Access] = Counter()
        self.lost = 0

    def note(self, access: Access) -> None:
        if len(self._counts) >= KINDS_MAX and access not in self._counts:
            self.lost += 1
            return
        self._counts[access] += 1

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
            counts, self._counts = self._counts, Counter()
            taken = dict(list(counts.items())[:MESSAGE_MAX])
            for access in taken:
                del counts[access]
            self._counts.update(counts)
            try:
                await self._bus.ask(_message(taken), Meta.system("gateway"))
            except DomainError as error:
                log.warning("access not recorded", extra={"cause": error.code})
                if error.kind == "unavailable":
                    for access, count in list(taken.items())[: KINDS_MAX - len(self._counts)]:
                        self._counts[access] += count
                return

    async def close(self) -> None:
        with contextlib.suppress(DomainError, asyncio.TimeoutError):
            async with asyncio.timeout(1):
                await self.send()


def _message(counts: dict[Access, int]) -> RecordAccess:
    now = datetime.now(UTC)
    reports: list[dict[str, Any]] = [
        {**access._asdict(), "at": now, "count": count} for access, count in counts.items()
    ]
    return RecordAccess(reports=[AccessReport.model_validate(report) for report in reports])
