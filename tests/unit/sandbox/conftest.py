"""One sandbox for a test, closed after it."""

from collections.abc import AsyncIterator

import pytest

from libs.sandbox import Sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    await sandbox.close()
