"""How two JSON values differ: by pointer, what was expected, what came."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

MISSING: Any = "(nothing)"
DIFFERENCES_MAX = 50


@dataclass(frozen=True, slots=True)
class Difference:
    """`rule` says what is wrong: `different`, `missing`, `unexpected`, or a word of its own."""

    pointer: str
    rule: str
    expected: Any = None
    got: Any = None
    detail: str = ""


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
