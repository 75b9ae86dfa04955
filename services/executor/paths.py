"""Paths of what is recorded: a step's id, the numbers of the loops around it, and a part of it."""

import re
from typing import NamedTuple

PATH = re.compile(r"([a-z][a-z0-9_]*)((?:\[\d+\])*)(?:#([a-z]+)|\.([^.\[\]#]+))?(?:\.(\d+))?")


class Place(NamedTuple):
    """`post[3][0]#branch`: id `post`, numbers (3, 0), mark `branch`; `both.left`: part `left`."""

    id: str
    numbers: tuple[int, ...]
    mark: str | None = None
    part: str | None = None


def place_of(path: str) -> Place:
    """ValueError for a text that is no path."""
    found = PATH.fullmatch(path)
    if found is None:
        raise ValueError(f"{path!r} is no path of a step")
    numbers = tuple(int(n) for n in re.findall(r"\d+", found[2]))
    return Place(found[1], numbers, found[3], found[4])
