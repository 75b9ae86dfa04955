"""The budget of an evaluation, in steps; what is charged depends on the values alone, not on how
they are shared in memory or how fast the machine is, so that it ends at the same place everywhere.
"""

from typing import Any

import msgspec

from libs.language.errors import ExpressionError

STEPS_MAX = 200_000
STEPS_INLINE_MAX = 5_000
RESULT_BYTES_MAX = 1024 * 1024
DEPTH_MAX = 100

KINDS = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "text",
    list: "list",
    dict: "object",
}
_SMALL = frozenset({type(None), bool, int, float})
_encode = msgspec.json.Encoder().encode


def kind(value: Any) -> str:
    """The language's name of the value's type."""
    return KINDS.get(type(value), "unknown")


def a_kind(value: Any) -> str:
    """The type with its article, for messages: `a list`, `an integer`, `null`."""
    name = kind(value)
    if name == "null":
        return name
    return f"an {name}" if name[0] in "aiou" else f"a {name}"


class Meter:
    """What is left of one evaluation's budget, and the clock that its `now()` tells."""

    __slots__ = ("clock", "left", "written")

    def __init__(self, steps: int, clock: str) -> None:
        self.left = steps
        self.clock = clock
        self.written = 0

    def charge(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise too_expensive("it needs more steps than an evaluation has")

    def weigh(self, value: Any) -> int:
        """Walks the value, shared parts each time; gives no more than its length as JSON."""
        level, chars, nodes, depth = [value], 0, 0, 0
        while level:
            nodes += len(level)
            depth += 1
            if depth > DEPTH_MAX:
                raise too_expensive(f"the value is nested deeper than {DEPTH_MAX}")
            room = self.left * 4 + 3
            inner: list[Any] = []
            seen = 0
            for each in level:
                what = type(each)
                if what is str:
                    seen += len(each)
                elif what is list:
                    inner += each
                elif what is dict:
                    inner += each.values()
                    seen += sum(map(len, each))
                if len(inner) > room:
                    break
            self.charge((len(inner) >> 2) + (seen >> 5))
            chars += seen
            level = inner
        return chars + 2 * nodes - 1

    def result(self, value: Any, *, built: bool) -> Any:
        """Counts what the evaluation gives, as it would be written; over 1 MiB is an error.

        `built` says that the expression made the value, which may then share parts and be far
        larger written than in memory; what comes from the scope as it is needs no walk.
        """
        if type(value) in _SMALL:
            return value
        if built and self.written + self.weigh(value) > RESULT_BYTES_MAX:
            raise too_large()
        self.written += len(_encode(value))
        if self.written > RESULT_BYTES_MAX:
            raise too_large()
        return value

    def as_json(self, value: Any) -> str:
        """Compact JSON, paid for by its logical size before it is written."""
        self.charge(self.weigh(value) >> 5)
        return _encode(value).decode()


def too_expensive(why: str) -> ExpressionError:
    return ExpressionError("expression-too-expensive", why)


def too_large() -> ExpressionError:
    return too_expensive("the result is larger than 1 MiB")
