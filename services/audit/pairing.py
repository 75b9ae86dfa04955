"""When a day is over its details get indexes on several values at once (decision 0019)."""

import asyncio
import logging

from sqlalchemy import text

from libs.common.database import LOST, Database
from libs.common.service import Service

log = logging.getLogger(__name__)
FIRST_S, EVERY_S = 60.0, 600.0
MAKE = "select make_pair_index()"


async def pair_for_ever(service: Service) -> None:
    """Work of the leading process, which has more urgent things to do when it begins."""
    await asyncio.sleep(FIRST_S)
    while True:
        try:
            await pair(service.database)
        except LOST as error:
            log.warning("indexes on pairs wait", extra={"cause": type(error).__name__})
        await asyncio.sleep(EVERY_S)


async def pair(database: Database) -> int:
    """Makes what is missing, each index in a transaction of its own; how many."""
    made = 0
    while True:
        async with database.work() as connection:
            if not (await connection.execute(text(MAKE))).scalar_one():
                return made
        made += 1
