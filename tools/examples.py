"""Example values made from field types alone: the same value for the same type, always."""

import re
import types
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from libs.common.fields import Meaning

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
SEALED = "v1.k1.AAAAAAAAAAAAAAAA.c2VhbGVk"
ID = "01jgk8xv2c7g3m5q9r4t6w8y0z"
CANDIDATES = (
    *(
        "example",
        "2026-01-02",
        "2026-01",
        "$2b$12$" + "a" * 53,
        "example.org",
        "1",
        "5f" * 32,
        "text/plain",
    ),
)


class NoExample(Exception):
    """A field type for which no example can be made: give it one in tools/examples.py."""


def example(annotation: Any, about: tuple[Any, ...] = ()) -> Any:
    """A JSON value that the type accepts. Raises NoExample."""
    if get_origin(annotation) is Annotated:
        base, *more = get_args(annotation)
        return example(base, (*more, *about))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {
            name: example(info.annotation, tuple(info.metadata))
            for name, info in annotation.model_fields.items()
        }
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return next(iter(annotation)).value
    return _of_parts(annotation, get_origin(annotation), get_args(annotation), about)


def _of_parts(annotation: Any, origin: Any, parts: tuple[Any, ...], about: tuple[Any, ...]) -> Any:
    if origin is Literal:
        return parts[0]
    if origin in (Union, types.UnionType):
        return example(next(part for part in parts if part is not types.NoneType), about)
    if origin in (list, tuple, set, frozenset):
        return [example(parts[0])]
    if origin is dict:
        return {example(parts[0]): example(parts[1])}
    if annotation is datetime:
        return MOMENT.isoformat()
    if annotation is bool:
        return True
    if annotation in (int, float):
        return annotation(max(1, _limit(about, "ge", 1)))
    if annotation is str:
        return _text(about)
    if "JsonValue" in str(annotation):
        return {"example": 1}
    raise NoExample(f"no example for {annotation}")


def _text(about: tuple[Any, ...]) -> str:
    if any(isinstance(item, Meaning) and item.sealed for item in about):
        return SEALED
    patterns = [p for item in about for p in _constraint(item, "pattern")]
    prefixes = [m[1] for p in patterns if (m := re.match(r"\^([a-z]+)_\[", p))]
    for text in (*(f"{prefix}_{ID}" for prefix in prefixes), *CANDIDATES):
        if all(re.search(p, text) for p in patterns) and len(text) <= _limit(
            about, "max_length", 1 << 20
        ):
            return text
    raise NoExample(f"no example matches {patterns}")


def _limit(about: tuple[Any, ...], name: str, otherwise: int) -> int:
    found = [value for item in about for value in _constraint(item, name)]
    return int(found[0]) if found else otherwise


def _constraint(item: Any, name: str) -> list[Any]:
    """The values of one constraint, in an annotation or in pydantic's `Field(...)`."""
    inner = [v for part in getattr(item, "metadata", ()) for v in _constraint(part, name)]
    own = getattr(item, name, None)
    return inner if own is None else [own, *inner]
