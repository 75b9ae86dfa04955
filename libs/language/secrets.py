"""References to secrets in an evaluated value, their versions, and how they are filled in.

Data from outside may look like a reference: `{"$secret": "api"}` in a webhook's body is data and
must stay data. A reference is one only where the document has one, so filling in goes by the
places that the compiler found and never by what a value looks like.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

REFERENCE, TEXT, VERSION = "$secret", "$template", "version"


class SecretPlace(NamedTuple):
    """Keys and places that lead to a reference, or to a text with references in it."""

    path: tuple[str | int, ...]
    names: tuple[str, ...]


def reference(name: str) -> dict[str, Any]:
    return {REFERENCE: name}


def text_with_references(parts: list[Any]) -> dict[str, Any]:
    return {TEXT: parts}


def fill_secrets(
    evaluated: Any, places: Sequence[SecretPlace], lookup: Callable[[str], str]
) -> Any:
    """A copy of the value with the secrets' values at these places; the value is not changed."""

    def revealed(value: dict[str, Any]) -> str:
        if REFERENCE in value:
            return lookup(value[REFERENCE])
        parts = value[TEXT]
        return "".join(part if isinstance(part, str) else lookup(part[REFERENCE]) for part in parts)

    return _replaced(evaluated, places, revealed)


def note_versions(
    evaluated: Any, places: Sequence[SecretPlace], versions: Mapping[str, int]
) -> Any:
    """A copy whose references say which version is meant: `{"$secret": "api", "version": 3}`."""

    def noted(value: dict[str, Any]) -> dict[str, Any]:
        if REFERENCE in value:
            return value | {VERSION: versions[value[REFERENCE]]}
        parts = value[TEXT]
        return text_with_references([p if isinstance(p, str) else noted(p) for p in parts])

    return _replaced(evaluated, places, noted)


def _replaced(
    evaluated: Any, places: Sequence[SecretPlace], change: Callable[[dict[str, Any]], Any]
) -> Any:
    for place in places:
        evaluated = _replaced_at(evaluated, place.path, change)
    return evaluated


def _replaced_at(
    value: Any, path: tuple[str | int, ...], change: Callable[[dict[str, Any]], Any]
) -> Any:
    if not path:
        return change(value)
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _replaced_at(copy[path[0]], path[1:], change)
    return copy
