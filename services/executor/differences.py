"""How two JSON values differ: by pointer, what was expected, what came."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

MISSING: Any = "(nothing)"
DIFFERENCES_MAX = 50
ANSWER_BYTES_MAX = 1_000_000  # a message on the bus has at most 4 MB


@dataclass(frozen=True, slots=True)
class Difference:
    """`rule` says what is wrong: `different`, `missing`, `unexpected`, or a word of its own."""

    pointer: str
    rule: str
    expected: Any = None
    got: Any = None
    detail: str = ""


class Room:
    """How much of an answer values may take; what has no place any more is left out."""

    def __init__(self, bytes_max: int = ANSWER_BYTES_MAX) -> None:
        self._left = bytes_max

    def given(self, value: Any) -> Any:
        """The value, or None."""
        size = len(msgspec.json.encode(value))
        if size > self._left:
            return None
        self._left -= size
        return value


def never(expected: Any, got: Any) -> bool:
    return False


def differences(
    expected: Any, got: Any, pointer: str = "", *, partly: bool = False,
    alike: Callable[[Any, Any], bool] = never,
) -> Iterator[Difference]:  # fmt: skip
    """Where `got` is not what was expected; `partly`: keys that are not named are not compared.

    `alike` may call two different leaves the same.
    """
    if isinstance(expected, dict) and isinstance(got, dict):
        for key, value in expected.items():
            at = f"{pointer}/{escaped(key)}"
            if key not in got:
                yield Difference(at, "missing", value)
            else:
                yield from differences(value, got[key], at, partly=partly, alike=alike)
        if not partly:
            for key in got.keys() - expected.keys():
                yield Difference(f"{pointer}/{escaped(key)}", "unexpected", got=got[key])
        return
    if isinstance(expected, list) and isinstance(got, list):
        for number, (one, other) in enumerate(zip(expected, got, strict=False)):
            yield from differences(one, other, f"{pointer}/{number}", partly=partly, alike=alike)
        for number in range(len(got), len(expected)):
            yield Difference(f"{pointer}/{number}", "missing", expected[number])
        for number in range(len(expected), len(got)):
            yield Difference(f"{pointer}/{number}", "unexpected", got=got[number])
        return
    if not same(expected, got) and not alike(expected, got):
        yield Difference(pointer, "different", expected, got)


def same(one: Any, other: Any) -> bool:
    """Equality of JSON: 1 is 1.0, and no boolean is a number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return one == other


def escaped(key: Any) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")
