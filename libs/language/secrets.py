"""References to secrets in an evaluated value, and the only way in which they are filled in.

Data from outside may look like a reference: `{"$secret": "api"}` in a webhook's body is data and
must stay data. A reference is one only where the document has one, so filling in goes by the
places that the compiler found and never by what a value looks like.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

REFERENCE, TEXT = "$secret", "$template"


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
    for place in places:
        evaluated = _filled(evaluated, place.path, lookup)
    return evaluated


def _filled(value: Any, path: tuple[str | int, ...], lookup: Callable[[str], str]) -> Any:
    if not path:
        return _revealed(value, lookup)
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _filled(copy[path[0]], path[1:], lookup)
    return copy


def _revealed(value: dict[str, Any], lookup: Callable[[str], str]) -> str:
    if REFERENCE in value:
        return lookup(value[REFERENCE])
    parts = value[TEXT]
    return "".join(part if isinstance(part, str) else lookup(part[REFERENCE]) for part in parts)
