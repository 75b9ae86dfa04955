"""What goes into the sandbox and what comes out of it, when it goes well."""

from dataclasses import dataclass
from typing import Any

VALUE_BYTES_MAX = 262_144
SNAPSHOT_BYTES_MAX = 131_072  # as it is stored, packed
HELD_BYTES_MAX = 4 << 20  # of a snapshot before it is packed
CODE_BYTES_MAX = 65_536
PRINTED_CHARS_MAX = 16_384
PRINTED_CHARS_FLOOD = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """`time_s` is of computing, over all parts of a run; waiting for a call does not count."""

    time_s: float = 2.0
    memory_bytes: int = 32 << 20
    depth: int = 200  # of functions that call functions


@dataclass(frozen=True, slots=True)
class Paused:
    """The code called a function. `snapshot` is everything it takes to go on from the answer."""

    function: str
    args: list[Any]
    kwargs: dict[str, Any]
    snapshot: bytes
    printed: str = ""


@dataclass(frozen=True, slots=True)
class Returned:
    """The code ended with a JSON value."""

    value: Any
    printed: str = ""


@dataclass(frozen=True, slots=True)
class CallFailed:
    """An answer that the code sees as an exception, a RuntimeError with this message."""

    message: str


class Printed:
    """Takes what the code prints: keeps the beginning, and stops who does not stop printing."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._chars = 0

    def __call__(self, stream: str, text: str) -> None:
        kept = PRINTED_CHARS_MAX - self._chars
        self._chars += len(text)
        if kept > 0:
            self._parts.append(text[:kept])
        if self.flooded:
            raise ValueError("too much is printed")

    @property
    def flooded(self) -> bool:
        return self._chars > PRINTED_CHARS_FLOOD

    @property
    def text(self) -> str:
        cut = "…" if self._chars > PRINTED_CHARS_MAX else ""
        return "".join(self._parts) + cut
