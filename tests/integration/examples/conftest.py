"""One running installation for all examples, and the receiver that they call."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import pytest_asyncio
from tests_support.kept import Kept
from tests_support.started import starting

from tests.fakes.receiver import Receiver

from .installed import EXAMPLES, Installation, free_port


@pytest.fixture(scope="session")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept[Installation]]:
    @contextmanager
    def made() -> Iterator[Installation]:
        folder = tmp_path_factory.mktemp("examples")
        with starting(folder) as start:
            found = Installation(start, folder / "data", free_port())
            key = found.api.put("/v1/secrets/dependency_review", json={"value": "whsec_c2VjcmV0"})
            assert key.status_code == 200, key.text
            for name in ("receiver", "source"):
                found.variable(name, f"http://127.0.0.1:{found.receiver_port}/{name}")
            files = sorted(str(file) for file in EXAMPLES.glob("*.yaml"))
            said = found.troth("apply", *files)
            assert said.count("published") == len(files), said
            yield found

    found = Kept(made)
    yield found
    found.end()


@pytest.fixture(scope="module")
def installation(
    _kept: Kept[Installation], request: pytest.FixtureRequest
) -> Iterator[Installation]:
    """All examples are published on it by `troth apply`."""
    yield from _kept.for_module(request.node.nodeid)


@pytest_asyncio.fixture
async def receiver(installation: Installation) -> AsyncIterator[Receiver]:
    async with Receiver(port=installation.receiver_port) as found:
        yield found
