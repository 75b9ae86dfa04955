"""Who may see and change what in a service's database, and what a second migration does."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import MetaData, Table, select
from tests_support.ledger import META, Noted, Place, notes, schemas
from tests_support.servers import Servers

from libs.common.database import Database
from libs.common.eventstore import EventStore, stream_of
from libs.common.fields import OrganizationId, Word
from libs.common.migrate import Schema, migrate
from libs.common.tables import column
from libs.common.testing import PASSWORD

MORE = MetaData()
Table("papers", MORE, column("org", OrganizationId), column("word", Word),
      info={"rights": "insert"})  # fmt: skip
Table("counters", MORE, column("org", OrganizationId), info={"hidden": True})
Table("prices", MORE, column("word", Word), info={"shared": True})
Table("places", MORE, column("word", Word))
REFUSED = errors.InsufficientPrivilege


@contextmanager
def _as(place: Place, role: str, service: str = "ledger") -> Iterator[psycopg.Connection[Any]]:
    database = Database(
        place.settings.database_url, service, PASSWORD, PASSWORD, place.settings.database_prefix
    )
    with psycopg.connect(database.conninfo(role), autocommit=True) as connection:
        yield connection


def _migrate(place: Place, schema: Schema) -> None:
    passwords = {schema.service: (PASSWORD, PASSWORD)}
    migrate(place.admin_url, [schema], passwords, place.settings.database_prefix)


@pytest.fixture
def two_organizations(place: Place) -> Place:
    place.sql("ledger", "insert into notes values ('org_1', 1, 's', 1, 5), ('org_2', 2, 's', 1, 6)")
    return place


async def test_a_reader_sees_its_organization_only(
    two_organizations: Place, store: EventStore
) -> None:
    for organization, amounts in (("org_1", [5]), ("org_2", [6]), ("org_3", []), ("", [])):
        async with store.database.read(organization) as connection:
            assert list(await connection.scalars(select(notes.c.amount))) == amounts


async def test_connections_that_are_used_again_keep_no_organization(
    two_organizations: Place, store: EventStore
) -> None:
    async def look(organization: str) -> list[int]:
        async with store.database.read(organization) as connection:
            await asyncio.sleep(0.01)
            return list(await connection.scalars(select(notes.c.amount)))

    found = await asyncio.gather(*(look(f"org_{i % 3 + 1}") for i in range(15)))
    assert found == [[5], [6], []] * 5
    async with store.database.reader.begin() as connection:
        assert list(await connection.scalars(select(notes.c.amount))) == []


def test_a_reader_changes_nothing_and_sees_no_log(two_organizations: Place) -> None:
    with _as(two_organizations, "reader") as reader:
        for statement in (
            "select * from log", "select * from commands", "select * from heads",
            "select * from readers", "select * from leases", "select append(0::smallint, '[]')",
            "select remember('[]')", "insert into notes values ('org_1', 3, 's', 1, 5)",
            "update notes set amount = 1", "delete from notes", "truncate notes",
            "create table t ()", "set role ledger_system", "set role ledger_owner",
            "alter table notes no force row level security",
        ):  # fmt: skip
            with pytest.raises(REFUSED):
                reader.execute(statement.encode())


def test_another_services_role_cannot_connect(place: Place, servers: Servers) -> None:
    at = conninfo_to_dict(servers.admin_url)
    for role in ("books_system", "books_reader"):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(
                host=at["host"], port=at["port"], user=role, password=PASSWORD,
                dbname=f"{place.settings.database_prefix}ledger",
            )  # fmt: skip


def test_a_database_that_an_interrupted_migration_left_open_is_closed(place: Place) -> None:
    name = f"{place.settings.database_prefix}ledger"
    place.sql("ledger", f"grant connect on database {name} to public")
    _migrate(place, schemas()[0])
    question = "select has_database_privilege(%s, %s, 'connect')"
    assert place.sql("ledger", question, "books_system", name) == [(False,)]
    assert place.sql("ledger", question, "ledger_reader", name) == [(True,)]


def test_roles_are_neither_owners_nor_above_row_security(place: Place) -> None:
    found = place.sql(
        "ledger", "select rolname, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolcanlogin"
        " from pg_roles where rolname like 'ledger%%' order by rolname",
    )  # fmt: skip
    assert found == [
        (f"ledger_{role}", False, False, False, False, role in ("reader", "system"))
        for role in ("append", "expire", "owner", "reader", "system")
    ]
    owners = place.sql(
        "ledger", "select distinct pg_get_userbyid(relowner) from pg_class c"
        " join pg_namespace n on n.oid = relnamespace where nspname = 'public'",
    )  # fmt: skip
    assert owners == [("ledger_owner",)]


def test_rights_of_a_table_follow_from_what_it_says(place: Place) -> None:
    _migrate(place, Schema("ledger", MORE))
    with _as(place, "system") as system:
        system.execute("insert into papers values ('org_1', 'w')")
        for statement in ("update papers set word = 'x'", "delete from papers"):
            with pytest.raises(REFUSED):
                system.execute(statement.encode())
        system.execute("insert into counters values ('org_1')")
        system.execute("insert into prices values ('w')")
    with _as(place, "reader") as reader:
        reader.execute("select set_config('app.org', 'org_1', false)")
        assert reader.execute("select word from papers").fetchall() == [("w",)]
        assert reader.execute("select word from prices").fetchall() == [("w",)]
        for table in ("counters", "places"):
            with pytest.raises(REFUSED):
                reader.execute(f"select * from {table}".encode())


async def test_a_second_migration_changes_nothing(place: Place, store: EventStore) -> None:
    await store.note(stream_of("ledger", "org_1", "a"), [Noted(amount=1)], META)
    _migrate(place, schemas()[0])
    _migrate(place, schemas()[0])
    await store.note(stream_of("ledger", "org_1", "a"), [Noted(amount=1)], META)
    assert place.numbers() == [1, 2]
    assert place.sql("ledger", "select pg_get_userbyid(proowner), prosecdef from pg_proc"
                     " where proname = 'append'") == [("ledger_append", True)]  # fmt: skip
