"""Servers for tests: from settings, else testcontainers, else the embedded wheels or the system."""

from collections.abc import Iterator

import pytest
from tests_support.servers import Servers, find_servers


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """PostgreSQL and NATS of this test worker alone."""
    with find_servers() as found:
        yield found
