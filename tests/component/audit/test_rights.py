"""What each role may do to the trail's tables, and what the server refuses it."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from .conftest import ONE, World

ONLY_GROWS = ("audit_leaf", "audit_tree", "audit_detail", "trails", "taken", "event_types")
PARTITION = "select relname from pg_class where relname like 'audit\\_detail\\_%' and relkind = 'r'"
OWNERS = """
select c.relname, pg_get_userbyid(c.relowner) from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
"""
STATISTICS = """
select attrelid::regclass::text, attname from pg_attribute
where attrelid = any(%s::regclass[]) and attnum > 0 and attstattarget is distinct from 0
"""


@pytest.fixture
async def written(world: World) -> World:
    await world.note(2)
    await world.complete()
    return world


async def refused(world: World, statement: str) -> None:
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        async with world.audit.database.work() as connection:
            await connection.execute(text(statement))


async def test_the_writer_reads_and_adds_and_changes_nothing(written: World) -> None:
    for table in ONLY_GROWS:
        async with written.audit.database.work() as connection:
            await connection.execute(text(f"select * from {table} limit 1"))
        one = {"taken": "producer", "event_types": "type"}.get(table, "trail")
        for statement in (
            f"update {table} set {one} = {one}", f"delete from {table}", f"truncate {table}",
            f"drop table {table}", f"alter table {table} add column x text",
            f"select * from {table} for update", f"alter table {table} owner to audit_system",
        ):  # fmt: skip
            await refused(written, statement)
    assert await written.count() == 2


async def test_heads_are_the_one_table_that_the_writer_changes(written: World) -> None:
    async with written.audit.database.work() as connection:
        await connection.execute(text("update trail_heads set size = size"))
    for statement in ("delete from trail_heads", "truncate trail_heads", "drop table trail_heads"):
        await refused(written, statement)


async def test_the_writer_touches_no_partition_past_its_parent(written: World) -> None:
    async with written.audit.database.work() as connection:
        partition = (await connection.execute(text(PARTITION))).scalars().first()
    for statement in (
        f"select * from {partition}", f"insert into {partition} (day) values (1)",
        f"drop table {partition}", f"alter table audit_detail detach partition {partition}",
        "alter table audit_detail alter column type set statistics 100",
    ):  # fmt: skip
        await refused(written, statement)


async def test_the_writer_makes_days_and_only_those_of_the_trail(written: World) -> None:
    async with written.audit.database.work() as connection:
        for _ in range(2):
            await connection.execute(text("select make_detail_day(20000)"))
    for day in (-1, 99999):
        with pytest.raises(ProgrammingError, match="not one of the trail"):
            async with written.audit.database.work() as connection:
                await connection.execute(text(f"select make_detail_day({day})"))
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with written.audit.database.read(ONE) as connection:
            await connection.execute(text("select make_detail_day(20001)"))
    async with written.audit.database.work() as connection:
        found = await connection.execute(text("select make_pair_index()"))
        assert found.scalar_one() is True  # of the day that was made above
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with written.audit.database.read(ONE) as connection:
            await connection.execute(text("select make_pair_index()"))


async def test_nobody_who_can_log_in_owns_a_table_of_the_trail(written: World) -> None:
    with written.as_administrator() as admin:
        owners = dict(admin.execute(OWNERS).fetchall())
        details = {name: owner for name, owner in owners.items() if name.startswith("audit_detail")}
        assert len(details) == 3  # the parent, today, and tomorrow
        assert {*details.values(), owners["details"]} == {"audit_anonymizer"}
        assert {owners[name] for name in ONLY_GROWS if name != "audit_detail"} == {"audit_owner"}
        for role in ("audit_owner", "audit_anonymizer"):
            login = admin.execute("select rolcanlogin from pg_roles where rolname = %s", (role,))
            assert login.fetchone() == (False,)
            await refused(written, f"set role {role}")


async def test_the_server_keeps_no_statistics_of_details(written: World) -> None:
    with written.as_administrator() as admin:
        admin.execute("analyze")
        found = admin.execute(OWNERS).fetchall()
        tables = [name for name, _ in found if name.startswith("audit_detail")]
        assert len(tables) == 3
        assert admin.execute(STATISTICS, (tables,)).fetchall() == []
        kept = admin.execute("select count(*) from pg_stats where tablename = any(%s)", (tables,))
        assert kept.fetchone() == (0,)


async def test_a_caller_reads_its_own_details_and_no_table(written: World) -> None:
    for statement in (
        "select * from audit_detail", "select * from audit_leaf", "select * from taken",
        "insert into trails (org) values ('org_x')", "delete from details",
    ):  # fmt: skip
        with pytest.raises(ProgrammingError, match=r"permission denied|cannot delete"):
            async with written.audit.database.read(ONE) as connection:
                await connection.execute(text(statement))
    async with written.audit.database.read("org_nobody") as connection:
        found = await connection.execute(text("select count(*) from details"))
        assert found.scalar_one() == 0
