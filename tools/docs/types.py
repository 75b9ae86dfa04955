"""How a field's type is called in the documentation."""

from datetime import datetime
from enum import Enum
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel

from libs.common.fields import Meaning, meaning_of

SIMPLE = {str: "text", int: "integer", float: "number", bool: "yes or no", datetime: "time"}


def type_name(annotation: Any) -> str:
    """`text`, `list of integer`, `one of a, b`, `text or null`, a part's own name."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_name(parts[0])
    if origin is Literal:
        return "one of " + ", ".join(str(part) for part in parts)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "one of " + ", ".join(str(member.value) for member in annotation)
    if annotation in SIMPLE:
        return SIMPLE[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.__name__
    if annotation is NoneType:
        return "null"
    if origin in (list, tuple, set, frozenset):
        return f"list of {type_name(parts[0])}"
    if origin is dict:
        return f"map of {type_name(parts[1])}"
    if "JsonValue" in str(annotation):
        return "JSON"
    if parts:
        return " or ".join(type_name(part) for part in parts)
    return str(annotation)


def fields_of(model: type[BaseModel], at: str = "") -> list[tuple[str, str, Meaning]]:
    """Name, type and meaning of each field; those of parts behind a dot."""
    found: list[tuple[str, str, Meaning]] = []
    for name, info in model.model_fields.items():
        parts = models_in(info.annotation)
        many = "[]" if type_name(info.annotation).startswith("list") else ""
        for part in parts:
            found += fields_of(part, f"{at}{name}{many}.")
        meaning = meaning_of(info.annotation, info.metadata)
        if meaning is not None and not parts:
            found.append((at + name, type_name(info.annotation), meaning))
    return found


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that a field holds, directly or in a list, a dict or a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]
