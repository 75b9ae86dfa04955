"""Files that nobody needs: no execution refers to them, and nobody has touched them for a day."""

import asyncio
import logging

from sqlalchemy import ColumnElement, delete, exists, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import LOST
from libs.common.errors import DomainError
from libs.common.messages import Meta
from services.executor.contract import SERVICE, FileCollected, file_stream
from services.executor.file_tables import files, pieces, references
from services.executor.files import Files
from services.executor.noted import NOTED

log = logging.getLogger(__name__)
KEEP_DAYS = 1
LOOK_S = 600.0
BATCH = 200
OLD = f"now() - interval '{KEEP_DAYS} days'"
# Whether an execution is there is asked of the log: views are empty while they are rebuilt.
STALE_REFERENCES = text(f"""
delete from file_references where (org, file, execution) in (
  select r.org, r.file, r.execution from file_references r where r.at < {OLD} and (
    exists (select 1 from forgotten f where f.execution = r.execution)
    or not exists (select 1 from log l
      where l.stream = 'execution-' || r.org || '-' || r.execution))
  limit {BATCH})""")
STALE_PIECES = text(f"""
delete from file_pieces where (upload, number) in (
  select p.upload, p.number from file_pieces p where p.at < {OLD}
    and not exists (select 1 from files f where f.upload = p.upload) limit {BATCH})""")


class Touched(Exception):
    """Somebody needs it again."""


async def run(store: Files) -> None:
    """For ever, by the leading process."""
    while True:
        try:
            await collect(store)
        except (DomainError, *LOST) as error:
            log.warning("collecting files waits", extra={"cause": type(error).__name__})
        await asyncio.sleep(LOOK_S)


async def collect(store: Files) -> int:
    """Once through all of them; how many files went."""
    for statement in (STALE_REFERENCES, STALE_PIECES):
        gone = BATCH
        while gone == BATCH:
            async with store.service.database.work() as db:
                gone = (await db.execute(statement)).rowcount
    count, unneeded = 0, _unneeded()
    async with store.service.database.work() as db:
        found = (await db.execute(select(files.c.org, files.c.file).where(unneeded))).all()
    for org, file in found:
        count += await _take(store, org, file)
    return count


def _unneeded() -> ColumnElement[bool]:
    referred = exists().where(references.c.org == files.c.org, references.c.file == files.c.file)
    return (files.c.touched_at < text(OLD)) & ~referred


async def _take(store: Files, org: str, file: str) -> bool:
    """Whether it went; it stays when somebody touched it meanwhile."""

    async def beside(db: AsyncConnection) -> None:
        mine = (files.c.org == org) & (files.c.file == file)
        gone = await db.execute(delete(files).where(mine, _unneeded()).returning(files.c.upload))
        if (upload := gone.scalar_one_or_none()) is None:
            raise Touched
        await db.execute(delete(pieces).where(pieces.c.upload == upload))

    try:
        await store.service.store.execute(
            NOTED, file_stream(org, file), [FileCollected(file_id=file)],
            Meta.system(SERVICE, org), beside=beside,
        )  # fmt: skip
    except Touched:
        return False
    return True
