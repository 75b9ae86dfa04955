"""One installation from which things go: what somebody forgets, then what its days take along."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests_support.kept import Kept
from tests_support.stack import Stack
from tests_support.world import World, echo, settle_in

from tests.fakes.receiver import receiving


@pytest.fixture(scope="session")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept[World]]:
    @contextmanager
    def made() -> Iterator[World]:
        with receiving(echo) as receiver:
            stack = Stack(
                tmp_path_factory.mktemp("forgetting") / "data", [receiver.pair],
                {"TROTH_TEST_BCRYPT_ROUNDS": "4", "TROTH_RETENTION_EVERY_S": "2"},
            )  # fmt: skip
            try:
                stack.start()
                yield settle_in(stack, receiver.pair)
            finally:
                stack.stop()

    found = Kept(made)
    yield found
    found.end()


@pytest.fixture(scope="module")
def world(_kept: Kept[World], request: pytest.FixtureRequest) -> Iterator[World]:
    yield from _kept.for_module(request.node.nodeid)
