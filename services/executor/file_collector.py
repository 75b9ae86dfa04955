"""Files that nobody needs: no execution refers to them, and nobody has touched them for a day."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import Database
from libs.common.messages import Meta
from libs.common.sweeping import Sweep, sql_sweep
from services.executor.contract import SERVICE, FileCollected, file_stream
from services.executor.file_tables import files, pieces, references
from services.executor.files import Files
from services.executor.noted import NOTED

KEEP_DAYS = 1
KEPT = timedelta(days=KEEP_DAYS)
FILES_A_BITE = 20
RULE = "files"
# Whether an execution is there is asked of the log: views are empty while they are rebuilt.
STALE = """r.at < :before and (
  exists (select 1 from forgotten f where f.execution = r.execution)
  or not exists (select 1 from log l where l.stream = 'execution-' || r.org || '-' || r.execution))
"""
LEFT_OVER = "p.at < :before and not exists (select 1 from files f where f.upload = p.upload)"
REFERENCES = sql_sweep(
    RULE,
    "delete from file_references where (org, file, execution) in"
    f" (select r.org, r.file, r.execution from file_references r where {STALE} limit :bite)",
    f"select r.at from file_references r where {STALE} order by r.at limit 1",
    KEEP_DAYS,
)
PIECES = sql_sweep(
    RULE,
    "delete from file_pieces where (upload, number) in"
    f" (select p.upload, p.number from file_pieces p where {LEFT_OVER} limit :bite)",
    f"select p.at from file_pieces p where {LEFT_OVER} order by p.at limit 1",
    KEEP_DAYS,
    bite=200,
)


class Touched(Exception):
    """Somebody needs it again."""


def sweeps(store: Files) -> list[Sweep]:
    """References first: without them a file is needed by nobody."""

    async def run(database: Database, at: datetime) -> int:
        unneeded = _unneeded(at)
        async with database.work() as db:
            some = select(files.c.org, files.c.file).where(unneeded).limit(FILES_A_BITE)
            found = (await db.execute(some)).all()
        return sum([await _take(store, org, file, unneeded) for org, file in found])

    async def overdue(database: Database, at: datetime) -> datetime | None:
        async with database.work() as db:
            found = select(func.min(files.c.touched_at)).where(_unneeded(at))
            first = (await db.execute(found)).scalar()
        return None if first is None else first + KEPT

    return [REFERENCES, PIECES, Sweep(RULE, run, overdue)]


def _unneeded(at: datetime) -> ColumnElement[bool]:
    referred = exists().where(references.c.org == files.c.org, references.c.file == files.c.file)
    return (files.c.touched_at < at - KEPT) & ~referred


async def _take(store: Files, org: str, file: str, unneeded: ColumnElement[bool]) -> bool:
    """Whether it went; it stays when somebody touched it meanwhile."""

    async def beside(db: AsyncConnection) -> None:
        mine = (files.c.org == org) & (files.c.file == file)
        gone = await db.execute(delete(files).where(mine, unneeded).returning(files.c.upload))
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
