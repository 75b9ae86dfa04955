"""What leaves the sandbox is JSON of a bounded size, or it does not leave."""

import math
from typing import Any

import msgspec

from libs.sandbox.errors import LimitReached, PythonFailed
from libs.sandbox.outcomes import VALUE_BYTES_MAX

DEPTH_MAX = 100
INTEGER_MAX = 2**63
NAMED_DEPTH = 8


def as_json(value: Any, what: str) -> Any:
    """The value as plain lists, objects and scalars. Raises LimitReached, PythonFailed.

    A part that stands in it twice counts twice, as it would be written twice: a value of a few
    lines of code can be too large to write down.
    """
    try:
        plain = _Walk(what).plain(value)
    except _TooLarge:
        raise _too_large(what, "too many bytes") from None
    if (size := len(msgspec.json.encode(plain))) > VALUE_BYTES_MAX:
        raise _too_large(what, f"{size} bytes")
    return plain


def _too_large(what: str, size: str) -> LimitReached:
    return LimitReached("output", f"{what} has {size}; limit value_bytes {VALUE_BYTES_MAX}")


class _TooLarge(Exception):
    pass


class _Walk:
    """One walk over one value; knows where it is, for the message."""

    def __init__(self, what: str) -> None:
        self._left = VALUE_BYTES_MAX
        self._way: list[Any] = [what]

    def plain(self, value: Any) -> Any:
        self._spend(1)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            self._spend(len(value))
            return value
        if isinstance(value, int):
            if not -INTEGER_MAX <= value < INTEGER_MAX:
                raise self._no("is an integer over 64 bit")
            return value
        if isinstance(value, float):
            if not math.isfinite(value):
                raise self._no("is no finite number")
            return value
        if len(self._way) > DEPTH_MAX:
            raise self._no(f"is nested more than {DEPTH_MAX} deep")
        if isinstance(value, list | tuple):
            return [self._inside(number, each) for number, each in enumerate(value)]
        if isinstance(value, dict):
            return {self._key(key): self._inside(key, each) for key, each in value.items()}
        raise self._no(f"is not JSON but of type {_kind(value)}")

    def _inside(self, key: Any, value: Any) -> Any:
        self._way.append(key)
        plain = self.plain(value)
        self._way.pop()
        return plain

    def _key(self, key: Any) -> str:
        if not isinstance(key, str):
            raise self._no(f"has a key that is not text but of type {_kind(key)}")
        self._spend(len(key))
        return key

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise _TooLarge

    def _no(self, why: str) -> PythonFailed:
        what, *way = self._way
        where = "".join(f"[{key!r:.40}]" for key in way[:NAMED_DEPTH])
        return PythonFailed("TypeError", f"{what}{where} {why}", None)


def _kind(value: Any) -> str:
    """The type's name as the code knows it; the library's stand-ins carry theirs as `name`."""
    kind = type(value).__name__
    return str(getattr(value, "name", kind))[:40] if kind.startswith("Monty") else kind
