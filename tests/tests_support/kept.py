"""What is costly to start: made for the files of one unit, and ended when the next test is of
another one, as whatever runs on costs all other tests their time."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Generic, TypeVar

import pytest

from tests_support.units import unit_of

T = TypeVar("T")
following: list[pytest.Item | None] = [None]
"""The test after this one, as pytest says at the end of each."""


class Kept(Generic[T]):
    """Made when it is first used, and anew when it is used after its end."""

    def __init__(self, make: Callable[[], AbstractContextManager[T]]) -> None:
        self._make, self._open = make, ExitStack()
        self._made: list[T] = []

    def for_module(self, nodeid: str) -> Iterator[T]:
        """The body of a fixture of a module."""
        if not self._made:
            self._made.append(self._open.enter_context(self._make()))
        yield self._made[0]
        after = following[0]
        if after is None or unit_of(after.nodeid) != unit_of(nodeid):
            self.end()

    def end(self) -> None:
        self._made.clear()
        self._open.close()
