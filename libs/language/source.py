"""What a workflow file says, with the line and column of every value and key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from libs.language.source_json import read_json
from libs.language.source_marks import (
    SOURCE_BYTES_MAX,
    Mark,
    Media,
    SourceError,
    position_at,
)
from libs.language.source_yaml import read_yaml

__all__ = [
    "Mark",
    "Media",
    "Path",
    "Source",
    "SourceError",
    "path_of",
    "pointer_of",
    "read_document",
    "read_value",
]

Path = tuple[str | int, ...]
POINTER_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read: its value, its text, and where each part stands."""

    value: Any
    media: Media
    text: str
    marks: Mark | None

    def position(
        self, path: Sequence[str | int], *, of_key: bool = False
    ) -> tuple[int, int] | None:
        """Line and column of what is at `path`, or of its key; if absent, of what is above."""
        mark = self.marks
        if mark is None:
            return None
        found = (mark.line, mark.column)
        for key in path:
            inner: Mark | None = None
            if mark.keys is not None and isinstance(key, str) and key in mark.keys:
                key_line, key_column, inner = mark.keys[key]
                found = (key_line, key_column) if of_key else (inner.line, inner.column)
            elif mark.items is not None and isinstance(key, int) and key < len(mark.items):
                inner = mark.items[key]
                found = (inner.line, inner.column)
            if inner is None:
                return mark.line, mark.column
            mark = inner
        return found

    def locate(self, pointer: str) -> tuple[int, int] | None:
        """Line and column of an RFC 6901 pointer."""
        return self.position(path_of(pointer, self.value))


def pointer_of(path: Sequence[str | int]) -> str:
    """The RFC 6901 pointer of a path; a very long one ends at an ancestor."""
    pointer = ""
    for key in path:
        longer = f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
        if len(longer) > POINTER_CHARS_MAX:
            return pointer
        pointer = longer
    return pointer


def path_of(pointer: str, value: Any) -> Path:
    """The path that a pointer means in `value`: an index where there is a list, else a key."""
    path: list[str | int] = []
    for part in pointer.split("/")[1:]:
        key: str | int = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and str(key).isdecimal():
            key = int(key)
            value = value[key] if key < len(value) else None
        elif isinstance(value, Mapping):
            value = value.get(key)
        path.append(key)
    return tuple(path)


def read_document(source: bytes | str, media: Media) -> Source:
    """Read a YAML or JSON file; whatever is not in the language's subset is a SourceError."""
    text = decode(source, media)
    value, marks = read_json(text) if media == "json" else read_yaml(text)
    return Source(value, media, text, marks)


def read_value(value: Any) -> Source:
    """A Source of a value that has no file, as one that came out of a store."""
    return Source(value, "json", "", None)


def decode(source: bytes | str, media: Media) -> str:
    """The file's text, or why it is none."""
    try:
        data = source.encode() if isinstance(source, str) else source
        if len(data) > SOURCE_BYTES_MAX:
            detail = f"the file has {len(data)} bytes; at most {SOURCE_BYTES_MAX} are allowed"
            raise SourceError(media, "too-large", detail, 1, 1)
        return data.decode("utf-8-sig")
    except UnicodeEncodeError as error:
        line, column = position_at(str(error.object), error.start)
        detail = "half of a surrogate pair is not a character"
        raise SourceError(media, "not-utf-8", detail, line, column) from error
    except UnicodeDecodeError as error:
        line, column = position_at(error.object[: error.start].decode("utf-8", "replace"), None)
        raise SourceError(media, "not-utf-8", "the file is not UTF-8", line, column) from error
