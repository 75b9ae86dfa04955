"""Which events a subscription takes: patterns of types, and equalities on plain fields."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

import msgspec
from pydantic import TypeAdapter, ValidationError

from libs.common.errors import FieldProblem, InvalidInput
from libs.common.messages import Json
from libs.common.shapes import plain_fields, public_types

Where = Mapping[str, str | int | bool]
NOTHING = object()


def type_matches(patterns: Iterable[str], name: str) -> bool:
    """A pattern is a whole name, or the beginning of names with `*` behind it."""
    return any(
        name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
        for pattern in patterns
    )


def where_matches(where: Where, data: Json) -> bool:
    """Every condition holds: equal, and of the same kind (1 is not true)."""
    return all(_equal(_at(data, path), wanted) for path, wanted in where.items())


def _at(data: Json, path: str) -> object:
    for name in path.split("."):
        data = data.get(name, NOTHING) if isinstance(data, dict) else NOTHING
    return data


def _equal(found: object, wanted: object) -> bool:
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)


def check_filter(types: Sequence[str], where: Where) -> None:
    """Refuses what could never match, each with its place and what was probably meant."""
    problems = [p for i, pattern in enumerate(types) if (p := _check_type(i, pattern))]
    if not problems:
        fields = _fields_of(types)
        problems = [p for name in where if (p := _check_where(name, where[name], fields))]
    if problems:
        raise InvalidInput(f"{len(problems)} problems in the filter", errors=problems)


def _check_type(index: int, pattern: str) -> FieldProblem | None:
    known = list(public_types())
    if any(type_matches([pattern], name) for name in known):
        return None
    close = get_close_matches(pattern.rstrip("*"), known, 1, 0.6)
    return FieldProblem(
        pointer=f"/types/{index}", rule="unknown-event-type", found=pattern,
        detail="no public type of event is called so", see="/v1/event-types",
        did_you_mean=close[0] if close else None,
    )  # fmt: skip


def _fields_of(types: Sequence[str]) -> dict[str, list[TypeAdapter[object]]]:
    fields: dict[str, list[TypeAdapter[object]]] = {}
    for name, kind in public_types().items():
        if type_matches(types, name):
            for path, adapter in plain_fields(kind).items():
                fields.setdefault(path, []).append(adapter)
    return fields


def _check_where(
    name: str, value: str | int | bool, fields: dict[str, list[TypeAdapter[object]]]
) -> FieldProblem | None:
    pointer = f"/where/{name}"
    if name not in fields:
        close = get_close_matches(name, fields, 1, 0.6)
        return FieldProblem(
            pointer=pointer, rule="unknown-field", see="/v1/event-types",
            detail="these events have no field of this name that can be compared",
            did_you_mean=close[0] if close else None,
        )  # fmt: skip
    if any(_fits(adapter, value) for adapter in fields[name]):
        return None
    return FieldProblem(pointer=pointer, rule="never-equal", detail="this field has other values")


def _fits(adapter: TypeAdapter[object], value: str | int | bool) -> bool:
    try:
        adapter.validate_json(msgspec.json.encode(value), strict=True)
    except ValidationError:
        return False
    return True
