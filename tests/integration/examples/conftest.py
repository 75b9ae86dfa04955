"""One running installation for all examples, and the receiver that they call."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from tests_support.started import starting

from tests.fakes.receiver import Receiver

from .installed import EXAMPLES, Installation, free_port


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """All examples are published on it by `troth apply`."""
    folder = tmp_path_factory.mktemp("examples")
    with starting(folder) as start:
        found = Installation(start, folder / "data", free_port())
        secret = found.api.put("/v1/secrets/dependency_review", json={"value": "whsec_c2VjcmV0"})
        assert secret.status_code == 200, secret.text
        for name in ("receiver", "source"):
            found.variable(name, f"http://127.0.0.1:{found.receiver_port}/{name}")
        files = sorted(str(file) for file in EXAMPLES.glob("*.yaml"))
        said = found.troth("apply", *files)
        assert said.count("published") == len(files), said
        yield found


@pytest_asyncio.fixture
async def receiver(installation: Installation) -> AsyncIterator[Receiver]:
    async with Receiver(port=installation.receiver_port) as found:
        yield found
