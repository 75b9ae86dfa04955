"""Servers for tests: from settings, else testcontainers, else the embedded wheels or the system."""

import os
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


@pytest.fixture(autouse=True, scope="module")
def own_settings() -> Iterator[None]:
    """What a module sets in `TROTH_…` (its servers, its passwords) ends with it."""
    before = {name: value for name, value in os.environ.items() if name.startswith("TROTH_")}
    yield
    for name in [name for name in os.environ if name.startswith("TROTH_")]:
        del os.environ[name]
    os.environ.update(before)


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
