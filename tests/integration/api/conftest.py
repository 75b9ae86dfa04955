"""One installation by `troth up` for all tests of this folder, with a world in it."""

from collections.abc import Iterator

import pytest
from tests_support.stack import Stack
from tests_support.world import World, receiving, settle_in


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two organizations with something of everything in them."""
    with receiving() as receiver:
        stack = Stack(
            tmp_path_factory.mktemp("stack") / "data", [receiver],
            {"TROTH_DELIVERY_SWEEP_S": "0.5"},
        )  # fmt: skip
        try:
            stack.start()
            yield settle_in(stack, receiver)
        finally:
            stack.stop()
