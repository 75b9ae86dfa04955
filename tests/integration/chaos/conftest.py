"""A whole installation for the tests of this folder, put to rights after each of them."""

from collections.abc import Iterator

import pytest

from tests.chaos.counting import Counting
from tests.chaos.documents import DOCUMENTS
from tests.chaos.stack import Stack, running


@pytest.fixture(scope="session")
def counting() -> Iterator[Counting]:
    """The receiver of the effects; it counts requests per idempotency key."""
    with Counting() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, counting: Counting) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("chaos") / "data"
    with running(folder, 2, (counting.pair,)) as stack:
        stack.sign_up()
        stack.use_big_plan()
        stack.surely("PUT", "/v1/variables/receiver", json={"value": counting.url})
        for document in DOCUMENTS.values():
            stack.publish(document)
        yield stack


@pytest.fixture
def stack(installed: Stack) -> Iterator[Stack]:
    """Everything runs before a test, and again after it."""
    installed.wait(installed.ready, "all processes ready")
    yield installed
    installed.wait(installed.ready, "all processes ready")
