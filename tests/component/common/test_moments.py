"""What a database of an older version takes for the time of day, after its migration."""

import psycopg
from tests_support.servers import Servers

from libs.common.migrate import migrate
from libs.common.testing import PASSWORD, prepare
from services.subscriptions.app import SCHEMA

DEFAULTS = """
select table_name || '.' || column_name, column_default from information_schema.columns
where table_name in ('feed', 'commands') and column_default like '%()'
"""


def test_a_migration_makes_old_tables_date_by_the_same_clock_as_new_ones(servers: Servers) -> None:
    prefix = servers.prefix()
    prepare(servers.admin_url, [SCHEMA], servers.nats_url, prefix)
    name = f"{prefix}{SCHEMA.service}"
    with psycopg.connect(servers.admin_url, dbname=name, autocommit=True) as db:
        db.execute("alter table feed alter column arrived_at set default now()")
        db.execute("alter table commands alter column at set default now()")

        migrate(servers.admin_url, [SCHEMA], {SCHEMA.service: (PASSWORD, PASSWORD)}, prefix)

        found = dict(db.execute(DEFAULTS.encode()).fetchall())
    assert found == {"feed.arrived_at": "wall_clock()", "commands.at": "wall_clock()"}
