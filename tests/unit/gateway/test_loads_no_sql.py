"""The gateway has no database: its process loads nothing that speaks to one."""

import subprocess
import sys

LOOK = """
import sys
import cli.serve, cli.services, services.gateway.__main__
print(sorted(sys.modules.keys() & {"sqlalchemy", "psycopg", "psycopg_pool"}))
"""


def test_the_process_of_the_gateway_loads_no_sql() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
