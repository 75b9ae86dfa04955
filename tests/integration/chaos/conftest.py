"""A whole installation for the tests of this folder, put to rights after each of them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests_support.kept import Kept

from tests.chaos.documents import DOCUMENTS
from tests.chaos.stack import Stack, running
from tests.fakes.receiver import Receiver, receiving


@pytest.fixture(scope="session")
def counting() -> Iterator[Receiver]:
    """The receiver of the effects; it counts requests per idempotency key."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def _kept(tmp_path_factory: pytest.TempPathFactory, counting: Receiver) -> Iterator[Kept[Stack]]:
    @contextmanager
    def made() -> Iterator[Stack]:
        folder = tmp_path_factory.mktemp("chaos") / "data"
        with running(folder, 2, (counting.pair,)) as stack:
            stack.sign_up()
            stack.use_big_plan()
            stack.surely("PUT", "/v1/variables/receiver", json={"value": counting.url})
            for document in DOCUMENTS.values():
                stack.publish(document)
            yield stack

    found = Kept(made)
    yield found
    found.end()


@pytest.fixture(scope="module")
def installed(_kept: Kept[Stack], request: pytest.FixtureRequest) -> Iterator[Stack]:
    yield from _kept.for_module(request.node.nodeid)


@pytest.fixture
def stack(installed: Stack) -> Iterator[Stack]:
    """Everything runs before a test, and again after it."""
    installed.wait(installed.ready, "all processes ready")
    yield installed
    installed.wait(installed.ready, "all processes ready")
