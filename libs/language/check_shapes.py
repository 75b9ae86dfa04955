"""What is known about the values behind names, so that a path below one can be checked at save."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from libs.language.schema_walk import target

# declared: the key is there or allowed by name; unsaid: nothing is known; open: the schema names
# keys, not this one, and allows others; closed: there can be no such key.
Verdict = Literal["declared", "unsaid", "open", "closed"]
DEPTH_MAX = 30
LOOKS_MAX = 100_000
ALTERNATIVES_MAX = 20


@dataclass(frozen=True, slots=True)
class Fits:
    """A value that fits a JSON Schema; `root` holds its $defs."""

    schema: Any
    root: Any


@dataclass(frozen=True, slots=True)
class Keys:
    """An object with exactly these keys at most."""

    inner: "Mapping[str, Shape]"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose items have a shape."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class OneOf:
    """A value of one of several shapes."""

    shapes: "tuple[Shape, ...]"


@dataclass(frozen=True, slots=True)
class AllOf:
    """A value that has several shapes at once."""

    shapes: "tuple[Shape, ...]"


Shape = Fits | Keys | ListOf | OneOf | AllOf | None
Look = tuple[Verdict, Shape]


class Budget:
    """How many shapes one check may look at; beyond that, nothing is known of any."""

    def __init__(self, left: int = LOOKS_MAX) -> None:
        self.left = left


def one_of(shapes: Sequence[Shape]) -> Shape:
    """A value of one of several shapes, flat and without repeats; unknown if that gets long."""
    flat: dict[int, Shape] = {}
    for shape in shapes:
        for part in shape.shapes if isinstance(shape, OneOf) else (shape,):
            flat[id(part)] = part
    if None in flat.values() or len(flat) > ALTERNATIVES_MAX:
        return None
    return OneOf(tuple(flat.values())) if len(flat) != 1 else next(iter(flat.values()))


def look(shape: Shape, key: str, budget: Budget) -> Look:
    """Whether `shape` can have `key`, and what is known about the value there."""
    budget.left -= 1
    if shape is None or budget.left < 0:
        return "unsaid", None
    if isinstance(shape, Keys):
        return ("declared", shape.inner[key]) if key in shape.inner else ("closed", None)
    if isinstance(shape, ListOf):
        return "closed", None
    if isinstance(shape, Fits):
        return look_in_schema(shape, key, budget)
    looks = [look(inner, key, budget) for inner in shape.shapes]
    return any_of(looks) if isinstance(shape, OneOf) else all_of(looks)


def any_of(looks: list[Look]) -> Look:
    """The value has one of several shapes: what any of them can have, it can have."""
    verdicts: set[Verdict] = {verdict for verdict, _ in looks}
    if "declared" in verdicts:
        return "declared", one_of([shape for verdict, shape in looks if verdict == "declared"])
    return first_of(("unsaid", "open", "closed"), verdicts), None


def all_of(looks: list[Look]) -> Look:
    """The value has several shapes at once: what one of them excludes, it can't have."""
    verdicts: set[Verdict] = {verdict for verdict, _ in looks}
    if "declared" in verdicts and "closed" not in verdicts:
        shapes = [shape for verdict, shape in looks if verdict == "declared" and shape is not None]
        return "declared", AllOf(tuple(shapes)) if len(shapes) > 1 else next(iter(shapes), None)
    return first_of(("closed", "open", "unsaid"), verdicts), None


def first_of(order: tuple[Verdict, ...], verdicts: set[Verdict]) -> Verdict:
    """The first of an order that is there."""
    for verdict in order:
        if verdict in verdicts:
            return verdict
    return order[-1]


def look_in_schema(shape: Fits, key: str, budget: Budget) -> Look:
    """The same for a JSON Schema."""
    schema, root = shape.schema, shape.root
    if not isinstance(schema, Mapping):
        return ("closed" if schema is False else "unsaid"), None
    looks = [own_keywords(schema, root, key)]
    looks += [look(inner, key, budget) for inner in joined(schema, root)]
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            looks.append(any_of([look(Fits(s, root), key, budget) for s in schema[keyword]]))
    return all_of(looks)


def joined(schema: Mapping[str, Any], root: Any) -> list[Shape]:
    """The schemas that hold beside this one."""
    shapes: list[Shape] = [Fits(part, root) for part in schema.get("allOf", ())]
    if "$ref" in schema:
        shapes.append(Fits(target(schema, root), root))
    return shapes


def own_keywords(schema: Mapping[str, Any], root: Any, key: str) -> Look:
    """What a schema says itself about a key."""
    types = schema.get("type", "object")
    if types != "object" and "object" not in types:
        return "closed", None
    properties = schema.get("properties", {})
    if key in properties:
        return "declared", Fits(properties[key], root)
    if schema.get("patternProperties"):
        return "unsaid", None
    others = schema.get("additionalProperties")
    if others is False:
        return "closed", None
    if others is not None:
        return "declared", Fits(others, root)
    return ("open" if properties else "unsaid"), None


def item_of(shape: Shape, depth: int = 0) -> Shape:
    """What is known about the items of a list."""
    if isinstance(shape, ListOf):
        return shape.item
    if not isinstance(shape, Fits) or not isinstance(shape.schema, Mapping) or depth > DEPTH_MAX:
        return None
    if isinstance(shape.schema.get("items"), Mapping):
        return None if "prefixItems" in shape.schema else Fits(shape.schema["items"], shape.root)
    inner = [item_of(part, depth + 1) for part in joined(shape.schema, shape.root)]
    return next((part for part in inner if part is not None), None)


def keys_of(shape: Shape, depth: int = 0) -> list[str]:
    """The keys that are named, for "did you mean"."""
    if shape is None or depth > DEPTH_MAX or isinstance(shape, ListOf):
        return []
    if isinstance(shape, Keys):
        return list(shape.inner)
    if isinstance(shape, Fits):
        if not isinstance(shape.schema, Mapping):
            return []
        parts = joined(shape.schema, shape.root)
        for keyword in ("anyOf", "oneOf"):
            parts += [Fits(part, shape.root) for part in shape.schema.get(keyword, ())]
        names = list(shape.schema.get("properties", {}))
    else:
        parts, names = list(shape.shapes), []
    return names + [key for part in parts for key in keys_of(part, depth + 1)]


def kind_of(shape: Shape) -> str:
    """In a word, what a value is that has no keys."""
    if isinstance(shape, ListOf):
        return "a list"
    if isinstance(shape, Fits) and isinstance(shape.schema, Mapping):
        types = shape.schema.get("type")
        if types == "array":
            return "a list"
        if isinstance(types, str) and types != "object":
            return {"string": "text", "null": "null"}.get(types, f"a {types}")
    return ""
