"""Brings a server to what the code expects: roles, databases, log, tables, rights, row security.

Every step can be repeated. A projection whose version was raised loses its tables and is rebuilt.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import DefaultClause, MetaData, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.ddl import DDLElement

from libs.common.readers import Projection

POSTGRES_MIN = 150000
LOG_SQL = Path(__file__).with_name("log.sql")


@dataclass(frozen=True)
class Schema:
    """All that a service keeps in its database.

    Rights of a table follow from `Table.info`: `{"rights": "insert"}` makes it append-only,
    `select` leaves writing to another role,
    `{"rights": "update"}` lets rows be changed and not deleted, `{"append": True}` lets the
    functions of the log write it too. `{"owner": "…"}` gives it to one of `owners`: roles that
    cannot log in, named after the service. `logins` are further roles with a password; what they
    may do is said in `migrations`: numbered files that run once, after the tables were made.
    """

    service: str
    metadata: MetaData
    migrations: Path | None = None
    projections: Sequence[Projection] = field(default_factory=tuple)
    has_log: bool = True
    owners: Sequence[str] = ()
    logins: Sequence[str] = ()


def owner_of(service: str, table: Table) -> str:
    return f"{service}_{table.info.get('owner', 'owner')}"


def migrate(admin_url: str, schemas: Iterable[Schema], passwords: dict[str, tuple[str, ...]],
            prefix: str = "troth_") -> None:  # fmt: skip
    """`passwords`: service -> (system, reader, one for each of `logins`).

    Needs a role that may make roles and databases.
    """
    with psycopg.connect(admin_url, autocommit=True) as admin:
        check_server(admin)
        for schema in schemas:
            _roles_and_database(admin, schema, passwords[schema.service], prefix)
            with psycopg.connect(
                admin_url, dbname=f"{prefix}{schema.service}", autocommit=False
            ) as connection:
                _schema(connection, schema)


def check_server(admin: psycopg.Connection[Any]) -> None:
    if admin.info.server_version < POSTGRES_MIN:
        raise SystemExit(
            f"PostgreSQL {admin.info.server_version // 10000} is too old: Troth needs 15 or newer"
        )
    row = admin.execute(
        "select rolcreaterole, rolcreatedb, rolsuper from pg_roles where rolname = current_user"
    ).fetchone()
    if row is None or not (row[2] or (row[0] and row[1])):
        raise SystemExit(
            "the role of TROTH_DATABASE_URL may not create roles and databases: "
            "grant CREATEROLE and CREATEDB"
        )


def _roles_and_database(
    admin: psycopg.Connection[Any], schema: Schema, passwords: tuple[str, ...], prefix: str
) -> None:
    service = schema.service
    for role, password in (
        ("owner", None), ("append", None), ("expire", None),
        *((name, None) for name in schema.owners),
        *zip(("system", "reader", *schema.logins), passwords, strict=True),
    ):  # fmt: skip
        name = sql.Identifier(f"{service}_{role}")
        known = admin.execute(
            "select 1 from pg_roles where rolname = %s", (f"{service}_{role}",)
        ).fetchone()
        if not known:
            admin.execute(sql.SQL("create role {} nologin noinherit").format(name))
        if password is not None:
            admin.execute(
                sql.SQL("alter role {} login password {} nobypassrls connection limit 24").format(
                    name, sql.Literal(password)
                )
            )
        admin.execute(sql.SQL("grant {} to current_user").format(name))
    database = f"{prefix}{service}"
    if not admin.execute("select 1 from pg_database where datname = %s", (database,)).fetchone():
        admin.execute(
            sql.SQL("create database {} owner {}").format(
                sql.Identifier(database), sql.Identifier(f"{service}_owner")
            )
        )
    admin.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(database)))
    roles = [sql.Identifier(f"{service}_{role}") for role in ("system", "reader", *schema.logins)]
    admin.execute(
        sql.SQL("grant connect on database {} to {}").format(
            sql.Identifier(database), sql.SQL(", ").join(roles)
        )
    )


def _schema(connection: psycopg.Connection[Any], schema: Schema) -> None:
    service = schema.service
    run = connection.execute
    run("select pg_advisory_xact_lock(4711)")
    run(f"set local role {service}_owner".encode())
    for role in ("append", "expire", *schema.owners):
        run(f"grant usage, create on schema public to {service}_{role}".encode())
    for role in ("system", "reader", *schema.logins):
        run(f"grant usage on schema public to {service}_{role}".encode())
    if schema.has_log:
        _take_functions_back(connection, service)
        run(LOG_SQL.read_bytes())
        _drop_raised(connection, schema.projections)
    run("create table if not exists migrations (name text primary key, at timestamptz not null)")
    for table in schema.metadata.sorted_tables:
        run(f"set local role {owner_of(service, table)}".encode())
        run(_text(CreateTable(table, if_not_exists=True)))
        for index in sorted(table.indexes, key=lambda i: str(i.name)):
            run(_text(CreateIndex(index, if_not_exists=True)))
        _moments(connection, table)
    run(f"set local role {service}_owner".encode())
    _numbered(connection, schema.migrations)
    _rights(connection, schema)
    connection.commit()


def _moments(connection: psycopg.Connection[Any], table: Table) -> None:
    """A table of an older version took the machine's clock for what wall_clock() says now."""
    for column in table.columns:
        default = column.server_default
        if isinstance(default, DefaultClause) and str(default.arg) == "wall_clock()":
            connection.execute(
                f"alter table {table.name} alter column {column.name}"
                " set default wall_clock()".encode()
            )


def _text(statement: DDLElement) -> bytes:
    return str(statement.compile(dialect=postgresql.dialect())).encode()


def _take_functions_back(connection: psycopg.Connection[Any], service: str) -> None:
    """The functions that an earlier run gave away: only their owner may replace them."""
    given = [
        f for role in ("append", "expire") for f in _functions_of(connection, f"{service}_{role}")
    ]
    for (function,) in given:
        connection.execute("reset role")
        connection.execute(f"alter function {function} owner to {service}_owner".encode())
        connection.execute(f"set local role {service}_owner".encode())


def _functions_of(connection: psycopg.Connection[Any], owner: str) -> list[tuple[str]]:
    return connection.execute(
        "select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid ="
        " p.pronamespace where n.nspname = 'public' and p.prosecdef"
        " and pg_get_userbyid(p.proowner) = %s",
        (owner,),
    ).fetchall()


def _drop_raised(connection: psycopg.Connection[Any], projections: Sequence[Projection]) -> None:
    for projection in projections:
        row = connection.execute(
            "select version from readers where name = %s", (projection.name,)
        ).fetchone()
        if row and row[0] != projection.version:
            for table in reversed(projection.tables):
                connection.execute(f"drop table if exists {table.name} cascade".encode())
            connection.execute("delete from readers where name = %s", (projection.name,))


def _numbered(connection: psycopg.Connection[Any], folder: Path | None) -> None:
    for file in sorted(folder.glob("*.sql")) if folder else []:
        done = connection.execute("select 1 from migrations where name = %s", (file.name,))
        if not done.fetchone():
            connection.execute(file.read_bytes())
            connection.execute("insert into migrations values (%s, now())", (file.name,))


def _rights(connection: psycopg.Connection[Any], schema: Schema) -> None:
    service = schema.service
    run = lambda text: connection.execute(text.format(s=service).encode())  # noqa: E731 - local
    if schema.has_log:
        run("grant select on log, heads, commands to {s}_system")
        run("grant delete on commands to {s}_system")
        run("grant select, insert, update, delete on readers, leases, sweeps to {s}_system")
        run("grant select, insert on log, commands to {s}_append")
        run("grant select, update on heads to {s}_append, {s}_expire")
        run("grant select on expired to {s}_system")
        run("grant select, insert on expired to {s}_expire")
        run("grant select, delete on log to {s}_expire")
        _row_security(connection, service, "log", reader=False)
        _row_security(connection, service, "commands", reader=False)
    for table in schema.metadata.sorted_tables:
        _table_rights(connection, service, table)
    run("set local role {s}_owner")
    for (function,) in _functions_of(connection, f"{service}_owner"):
        run(f"revoke all on function {function} from public")
        run(f"grant execute on function {function} to {{s}}_system")
        connection.execute("reset role")
        role = "expire" if function.startswith("expire_") else "append"
        run(f"alter function {function} owner to {{s}}_{role}")
        run("set local role {s}_owner")


def _table_rights(connection: psycopg.Connection[Any], service: str, table: Table) -> None:
    rights = {
        "select": "select", "insert": "select, insert", "update": "select, insert, update",
    }.get(table.info.get("rights", ""), "select, insert, update, delete")  # fmt: skip
    connection.execute(f"set local role {owner_of(service, table)}".encode())
    connection.execute(f"grant {rights} on {table.name} to {service}_system".encode())
    if table.info.get("append"):
        connection.execute(
            f"grant select, insert, update, delete on {table.name} to {service}_append".encode()
        )
    if "org" in table.columns:
        _row_security(connection, service, table.name, reader=not table.info.get("hidden"))
    elif table.info.get("shared"):
        connection.execute(f"grant select on {table.name} to {service}_reader".encode())


def _row_security(
    connection: psycopg.Connection[Any], service: str, table: str, *, reader: bool
) -> None:
    run = lambda text: connection.execute(text.encode())  # noqa: E731 - local shorthand
    run(f"alter table {table} enable row level security")
    run(f"alter table {table} force row level security")
    run(f"drop policy if exists own_work on {table}")
    mine = ", ".join(f"{service}_{role}" for role in ("system", "append", "expire"))
    run(f"create policy own_work on {table} to {mine} using (true) with check (true)")
    run(f"drop policy if exists one_organization on {table}")
    if reader:
        run(f"create policy one_organization on {table} for select to {service}_reader"
            " using (org = current_setting('app.org', true))")  # fmt: skip
        run(f"grant select on {table} to {service}_reader")
