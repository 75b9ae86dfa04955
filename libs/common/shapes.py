"""What customers see of an event: which fields of its class are public, and which are plain.

Public is what is neither sealed nor direct, free text, special or secret; plain (usable in
`where`) is a single value of class none. Both follow from the field types alone.
"""

from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter

from libs.common.fields import DataClass, Meaning, meaning_of
from libs.common.messages import EVENTS, Event, Json

OPEN = (DataClass.NONE, DataClass.INDIRECT)
Shape = dict[str, "Shape | None"]


def public_types() -> dict[str, type[Event]]:
    """The classes of events that customers see, by name."""
    return {name: EVENTS[name] for name in sorted(EVENTS) if EVENTS[name].public}


@cache
def shape_of(model: type[BaseModel]) -> Shape:
    """The public fields of a model: None for a value, a shape for a model below it."""
    shape: Shape = {}
    for name, info in model.model_fields.items():
        below = model_in(info.annotation)
        if below is not None:
            shape[name] = shape_of(below)
        elif all(map(_is_open, _meanings(info.annotation, info.metadata))):
            shape[name] = None
    return shape


def public_data(kind: type[Event], data: Json) -> Json:
    """The data of an event without what its class does not declare open."""
    return _pruned(data, shape_of(kind))


def _pruned(value: Json, shape: Shape) -> Json:
    if isinstance(value, list):
        return [_pruned(item, shape) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: value[name] if below is None else _pruned(value[name], below)
        for name, below in shape.items()
        if name in value
    }


@cache
def plain_fields(model: type[BaseModel]) -> Mapping[str, TypeAdapter[Any]]:
    """Single values of class none by their path (`outcome`, `trigger.kind`), with their type."""
    found: dict[str, TypeAdapter[Any]] = {}
    for name, info in model.model_fields.items():
        below = model_in(info.annotation)
        if below is not None and not _is_list(info.annotation):
            found |= {f"{name}.{path}": kind for path, kind in plain_fields(below).items()}
        elif below is None and _is_plain(info.annotation, info.metadata):
            found[name] = TypeAdapter(_annotated(info.annotation, info.metadata))
    return found


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model below `X | None`, `list[X]` and annotations, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        if (found := model_in(argument)) is not None:
            return found
    return None


def _is_open(meaning: Meaning) -> bool:
    return not meaning.sealed and meaning.data_class in OPEN


def _is_plain(annotation: Any, metadata: list[Any]) -> bool:
    meanings = _meanings(annotation, metadata)
    return not _is_list(annotation) and all(
        m.data_class is DataClass.NONE and not m.sealed for m in meanings
    )


def _is_list(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated or origin in (Union, UnionType):
        return any(_is_list(argument) for argument in get_args(annotation))
    return origin in (list, dict, tuple, set, frozenset)


def _meanings(annotation: Any, metadata: list[Any] | tuple[Any, ...] = ()) -> list[Meaning]:
    """Every meaning in a type, of a dict also its keys'; a type that has none is a TypeError."""
    own = [item for item in metadata if isinstance(item, Meaning)]
    if own:
        return own
    if get_origin(annotation) is Annotated:
        base, *rest = get_args(annotation)
        return _meanings(base, rest)
    alone = meaning_of(annotation)
    if get_origin(annotation) in (list, dict, Union, UnionType):
        return [m for a in get_args(annotation) if a is not type(None) for m in _meanings(a)]
    if alone is None:
        raise TypeError(f"{annotation} says nothing about its data class")
    return [alone]


def _annotated(annotation: Any, metadata: list[Any]) -> Any:
    for item in metadata:
        annotation = Annotated[annotation, item]
    return annotation
