"""Reads a service's own catalogue and the types of its events: names, never values.

The catalogue of PostgreSQL is read by the role `reader`: other than `information_schema` it also
shows tables on which nobody gave that role any right.
"""

from sqlalchemy import text

from libs.common.catalogue import CatalogueFound, TableFound
from libs.common.database import Database

EVENTS_MAX = 200_000
# A view keeps nothing, a partition has the columns of its parent, the server's own is not ours.
_TABLES = """
select case when n.nspname = 'public' then c.relname else n.nspname || '.' || c.relname end,
  coalesce(array_agg(a.attname::text order by a.attnum) filter (where a.attname is not null), '{}')
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind in ('r', 'p', 'm', 'f') and not c.relispartition
  and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
group by 1 order by 1
"""
_TYPES = "select distinct type from log where partition = 0 and n > :after and n <= :upto"


async def find_catalogue(database: Database, after: int) -> CatalogueFound:
    """Of one service's own database."""
    async with database.read("instance") as connection:
        tables = (await connection.execute(text(_TABLES))).all()
    async with database.work() as connection:
        head, incarnation = (
            await connection.execute(text("select n, incarnation from heads"))
        ).one()
        upto = min(head, after + EVENTS_MAX)
        types = await connection.scalars(text(_TYPES), {"after": after, "upto": upto})
        return CatalogueFound(
            tables=[TableFound(name=name, columns=columns) for name, columns in tables],
            types=sorted(types), upto=max(upto, after), head=head, incarnation=incarnation,
        )  # fmt: skip
