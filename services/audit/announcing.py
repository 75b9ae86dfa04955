"""The rounds of the signer, in the leading process, and what is told of them.

A checkpoint is told once an hour for each trail, to the organization's own events, and only when it
signs for something else than what carries the trail away: else telling would be something to tell.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from libs.common import clock
from libs.common.database import LOST
from libs.common.errors import DomainError
from libs.common.eventstore import stream_of
from libs.common.service import Service
from services.audit import stored
from services.audit.contract.proof import CheckpointRefused, CheckpointSigned
from services.audit.signing import TRANSPORT, CheckpointSigner

log = logging.getLogger(__name__)
Clock = Callable[[], datetime]
RETRY_S = 5.0
LATEST = """
select t.org, t.trail, c.size, c.note from trails t join lateral
  (select * from checkpoints c where c.trail = t.trail order by c.size desc limit 1) c on true
order by t.trail
"""
LAST_TOLD = """
select type, data from log where stream = %s order by version desc limit 1
"""


class Announcer:
    """Tells what the signer did; where it stands is read from the log itself."""

    def __init__(self, service: Service, signer: CheckpointSigner) -> None:
        self._service, self._signer = service, signer
        self._told: dict[str, int] = {}
        self._hour: datetime | None = None

    async def turn(self, now: datetime) -> None:
        """After a round: refusals at once, checkpoints when an hour has passed."""
        for trail, refusal in self._signer.refusals.items():
            stream = stream_of("signing", "instance", trail)
            last = await self._last(stream)
            if last is None or last[0] != CheckpointRefused.type:
                fact = CheckpointRefused.model_validate({"trail": trail} | refusal._asdict())
                await self._service.append_system(stream, fact)
        hour = now.replace(minute=0, second=0, microsecond=0)
        if self._hour not in (None, hour):
            async with self._service.database.work() as connection:
                latest = (await connection.execute(text(LATEST))).all()
            for row in latest:
                await self._tell(row)
        self._hour = hour

    async def _tell(self, row: Any) -> None:
        name = stored.trail_name(row.trail)
        stream = stream_of("checkpoints", row.org, name)
        if name not in self._told:
            last = await self._last(stream)
            self._told[name] = int(last[1]["size"]) if last is not None else 0
        since = self._told[name]
        if row.size <= since:
            return
        async with self._service.database.work() as connection:
            rows = stored.of_work(connection)
            if await stored.classes(rows, row.trail, since, row.size) <= TRANSPORT:
                return
        fact = CheckpointSigned(trail=name, since=since, size=row.size, note=row.note)
        await self._service.append_system(stream, fact, organization=row.org)
        self._told[name] = row.size

    async def _last(self, stream: str) -> tuple[str, dict[str, Any]] | None:
        async with self._service.database.work() as connection:
            row = (await connection.exec_driver_sql(LAST_TOLD, (stream,))).first()
        return (row.type, row.data) if row is not None else None


async def keep_signing(
    signer: CheckpointSigner, announcer: Announcer, then: Callable[[], None], clock: Clock,
    every_s: float,
) -> None:  # fmt: skip
    """For ever, in the leading process; `then` is called when a round has signed what is due."""
    while True:
        try:
            await signer.round(clock())
            then()
            await announcer.turn(clock())
        except (DomainError, *LOST) as error:
            log.warning("nothing signed", extra={"cause": type(error).__name__})
            await asyncio.sleep(RETRY_S)
            continue
        await asyncio.sleep(min(every_s, until_full_hour(clock())))


def until_full_hour(now: datetime) -> float:
    hour = now.replace(minute=0, second=0, microsecond=0)
    return max(0.1, (hour + timedelta(hours=1) - now).total_seconds())


def wall_clock() -> datetime:
    return clock.now()
