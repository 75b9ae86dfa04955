"""A running identity for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests_support.identities import Identity, running
from tests_support.servers import Servers


@pytest.fixture
async def identity(servers: Servers, tmp_path: Path) -> AsyncIterator[Identity]:
    async with running(servers, tmp_path) as found:
        yield found
