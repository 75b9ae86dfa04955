"""What the two readers of workflow files share: limits, marks, numbers, and the refusal."""

import json
from typing import Literal, NamedTuple

Media = Literal["yaml", "json"]

SOURCE_BYTES_MAX = 256 * 1024
DEPTH_MAX = 40
INTEGER_DIGITS_MAX = 19
INTEGER_MAX = 2**63 - 1
NUMBER_CHARS_MAX = 400


class Mark(NamedTuple):
    """Where a value begins (from 1), and the marks of what is inside it."""

    line: int
    column: int
    items: "list[Mark] | None" = None
    keys: "dict[str, tuple[int, int, Mark]] | None" = None


class SourceError(ValueError):
    """The file is not readable as a document; `rule` says which rule it breaks, and where."""

    def __init__(self, media: Media, rule: str, detail: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {detail}")
        self.code = f"malformed-{media}"
        self.media: Media = media
        self.rule = rule
        self.detail = detail
        self.line = line
        self.column = column


def position_at(text: str, offset: int | None) -> tuple[int, int]:
    """Line and column (from 1) of an offset, or of the end."""
    before = text if offset is None else text[:offset]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def whole_number(digits: str) -> int | None:
    """The integer, or None if it does not fit in 64 bits."""
    if len(digits.lstrip("-")) > INTEGER_DIGITS_MAX:
        return None
    number = int(digits)
    return number if -INTEGER_MAX - 1 <= number <= INTEGER_MAX else None


def decimal_number(digits: str) -> float | None:
    """The finite double, or None if there is none."""
    if len(digits) > NUMBER_CHARS_MAX:
        return None
    number = float(digits)
    return number if abs(number) != float("inf") else None


def shown(text: str) -> str:
    """A piece of the file for a message: quoted, short, on one line."""
    cut = text if len(text) <= 60 else text[:57] + "..."
    return json.dumps(cut, ensure_ascii=False)
