"""Servers for tests: from settings, else testcontainers, else the embedded wheels or the system."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests_support.servers import Servers, find_servers

# What may be skipped, and why; anything else that is skipped makes the run fail.
AGREED: dict[str, str] = {}


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """PostgreSQL and NATS of this test worker alone."""
    with find_servers() as found:
        yield found


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says what was skipped, also when nothing was."""
    skipped = terminalreporter.stats.get("skipped", [])
    terminalreporter.write_line(f"{len(skipped)} skipped")
    for report in skipped:
        terminalreporter.write_line(f"  {report.nodeid}: {AGREED.get(report.nodeid, 'not agreed')}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    if exitstatus == 0 and any(report.nodeid not in AGREED for report in skipped):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
