"""The context that expressions are measured in is as large as it is said to be."""

import json

import pytest

from benchmarks import expressions


@pytest.mark.parametrize("size", [expressions.SMALL_BYTES, expressions.LARGE_BYTES])
def test_a_context_has_a_hundred_items_and_its_size(size: int):
    scope = expressions.context(size)

    assert len(scope["fetch"]["json"]["items"]) == 100
    assert abs(len(json.dumps(scope)) - size) < 100
