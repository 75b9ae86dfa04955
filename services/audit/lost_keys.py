"""Says loudly when the day keys do not open what was sealed last: both places were lost."""

import asyncio
import logging

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import LOST
from libs.common.errors import Unavailable
from libs.common.service import Service
from services.audit.daykeys import DayForgotten, DayKeys
from services.audit.detail import opens

RETRY_S = 1.0
log = logging.getLogger(__name__)
NEWEST = "select day, trail, seq, sealed from audit_detail order by day desc limit 1"


async def say_lost_details(service: Service, keys: DayKeys) -> None:
    """At the start of a process, once the database answers."""
    while True:
        try:
            async with service.database.work() as connection:
                await details_are_lost(connection, keys)
            return
        except (Unavailable, *LOST):
            await asyncio.sleep(RETRY_S)


async def details_are_lost(connection: AsyncConnection, keys: DayKeys) -> bool:
    """The trail stands and goes on with a new ratchet; its details before now open no more."""
    keys.refresh()
    row = (await connection.execute(text(NEWEST))).first()
    if row is None:
        return False
    try:
        lost = not opens(row.sealed, keys.of(row.day), row.trail, row.seq)
    except DayForgotten:
        return False
    if lost:
        log.critical(
            "the day keys of the trail were lost in both places: its details can't be opened any "
            "more; leaves and proofs stand, and new entries are sealed under a new ratchet",
            extra={"newest_day": row.day},
        )
    return lost
