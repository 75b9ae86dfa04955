"""A bed per test: the executor with the real workflows service."""

from collections.abc import AsyncIterator

import pytest
from tests_support.engines import Bed, make_bed
from tests_support.servers import Servers


@pytest.fixture
async def bed(servers: Servers) -> AsyncIterator[Bed]:
    made = await make_bed(servers)
    try:
        yield made
    finally:
        await made.close()
