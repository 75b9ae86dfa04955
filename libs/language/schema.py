"""Input schemas, compiled with linear-time patterns; inputs are checked, defaults filled in."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema_rs

from libs.language.check_report import closest
from libs.language.schema_walk import (
    FORMATS,
    VALUE_DEPTH_MAX,
    Fault,
    SchemaError,
    check_schema,
    subschemas,
    target,
)
from libs.language.source import pointer_of

__all__ = ["Fault", "InputError", "SchemaError", "Validator", "compile_schema", "validate_input"]

ERRORS_MAX = 50
PARTS_MAX = 2000
FILLED_BYTES_MAX = 256 * 1024
PATTERN_BYTES_MAX = 1024 * 1024
TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


@dataclass(frozen=True, slots=True)
class InputError:
    """Where an input breaks its schema. Nothing here comes out of the input: it may be personal."""

    pointer: str
    rule: str
    detail: str
    did_you_mean: str | None = None


@dataclass(frozen=True, slots=True)
class Validator:
    """A compiled schema."""

    schema: Any
    engine: jsonschema_rs.Draft202012Validator
    names: frozenset[str]  # keys that the schema names: they may be shown
    has_defaults: bool


def compile_schema(schema: Any) -> Validator:
    """Compile a schema, or raise SchemaError with all that is wrong; nothing is ever fetched."""
    check_schema(schema)
    own = json.loads(json.dumps(schema))
    nodes = [node for _, node in subschemas(own, ()) if isinstance(node, dict)]
    for node in nodes:
        if node.get("format") not in FORMATS:
            node.pop("format", None)  # others are notes for people, as in the standard
    engine = build_engine(own)  # from here on every keyword has the type that it should have
    names = {name for node in nodes for name in node.get("properties", ())}
    return Validator(own, engine, frozenset(names), any("default" in node for node in nodes))


def build_engine(schema: Any) -> jsonschema_rs.Draft202012Validator:
    """The engine's validator: Rust's regex engine is linear in the text, and bounded in memory."""
    options = jsonschema_rs.RegexOptions(
        size_limit=PATTERN_BYTES_MAX, dfa_size_limit=PATTERN_BYTES_MAX
    )
    try:
        return jsonschema_rs.Draft202012Validator(
            schema, validate_formats=True, pattern_options=options, offline=True
        )
    except jsonschema_rs.ValidationError as error:
        path = tuple(error.instance_path)
        rule = "schema-pattern" if path and path[-1] == "pattern" else "schema-invalid"
        detail = f"not a schema of JSON Schema 2020-12: {error.message[:200]}"
        if rule == "schema-pattern":
            detail = "not a pattern of the linear-time engine (no look-around, no back-references)"
        raise SchemaError([Fault(path, rule, detail)]) from error
    except ValueError as error:
        raise SchemaError([Fault((), "schema-invalid", str(error)[:200])]) from error


def validate_input(validator: Validator, value: Any) -> tuple[Any, list[InputError]]:
    """The value with the schema's defaults filled in, and what is wrong with it (at most 50)."""
    parts = count_parts(value)
    if parts is None:
        detail = f"lists and objects go deeper than {VALUE_DEPTH_MAX} levels"
        return value, [InputError("", "too-deep", detail)]
    try:
        if validator.has_defaults:
            filler = _Filler(validator.schema)
            value = filler.filled(validator.schema, value)
            if filler.left < 0:
                detail = f"the schema's defaults add more than {FILLED_BYTES_MAX} bytes"
                return value, [InputError("", "too-large", detail)]
        if validator.engine.is_valid(value):
            return value, []
        found = errors_of(validator, value, all_of_them=parts <= PARTS_MAX)
    except (ValueError, RecursionError):
        # Half of a surrogate pair, or a schema that goes round 20 references at every level.
        return value, [InputError("", "unreadable", "the input is not JSON that can be checked")]
    return value, [input_error(validator, error) for error in found]


def errors_of(
    validator: Validator, value: Any, *, all_of_them: bool
) -> list[jsonschema_rs.ValidationError]:
    """The first 50 errors, or the first: the engine makes all before it gives one."""
    if all_of_them:
        return list(islice(validator.engine.iter_errors(value), ERRORS_MAX))
    try:
        validator.engine.validate(value)
    except jsonschema_rs.ValidationError as error:
        return [error]
    return []


def count_parts(value: Any) -> int | None:
    """How many values there are inside, None if they go too deep: the engine's stack is finite."""
    count = 0
    level = [value]
    for _ in range(VALUE_DEPTH_MAX + 1):
        count += len(level)
        inner: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                inner.extend(part.values())
            elif isinstance(part, list):
                inner.extend(part)
        if not inner:
            return count
        level = inner
    return None


class _Filler:
    """Fills in defaults, counting their bytes: a list may need the same one many times.

    Defaults under properties, items, allOf and $ref are filled in, as these hold whatever the
    value is; those inside of alternatives are not.
    """

    def __init__(self, root: Any) -> None:
        self.root = root
        self.left = FILLED_BYTES_MAX

    def filled(self, schema: Any, value: Any) -> Any:
        if not isinstance(schema, dict):
            return value
        if "$ref" in schema:
            value = self.filled(target(schema, self.root), value)
        for part in schema.get("allOf", ()):
            value = self.filled(part, value)
        if isinstance(value, dict) and "properties" in schema:
            return self.object_filled(schema["properties"], value)
        if isinstance(value, list) and isinstance(schema.get("items"), dict):
            first = len(schema.get("prefixItems", ()))
            rest = [self.filled(schema["items"], item) for item in value[first:]]
            return [*value[:first], *rest]
        return value

    def object_filled(self, properties: Mapping[str, Any], value: dict[str, Any]) -> dict[str, Any]:
        result = dict(value)
        for key, part in properties.items():
            if key in result:
                result[key] = self.filled(part, result[key])
                continue
            holder = self.with_default(part)
            if holder is not None and self.left >= 0:
                text = json.dumps(holder["default"], ensure_ascii=False)
                self.left -= len(text.encode()) + len(key) + 4
                result[key] = json.loads(text)
        return result

    def with_default(self, schema: Any) -> dict[str, Any] | None:
        while isinstance(schema, dict) and "default" not in schema and "$ref" in schema:
            schema = target(schema, self.root)
        return schema if isinstance(schema, dict) and "default" in schema else None


def input_error(validator: Validator, error: jsonschema_rs.ValidationError) -> InputError:
    """What the engine found, in words that hold nothing of the value."""
    path = [
        part if isinstance(part, int) or part in validator.names else "*"
        for part in error.instance_path
    ]
    kind: Any = error.kind
    rule = str(kind.name)
    mean = None
    if rule == "required":
        path.append(kind.property)
    if rule == "additionalProperties" and len(kind.unexpected) == 1:
        mean = closest(kind.unexpected[0], validator.names)
    return InputError(pointer_of(path), kebab(rule), describe(rule, kind), mean)


def kebab(keyword: str) -> str:
    """`minLength` is the rule `min-length`, as every code of ours is written."""
    return re.sub(r"(?<=[a-z])([A-Z])", r"-\1", keyword).lower()


def describe(rule: str, kind: Any) -> str:
    """One sentence about a keyword that does not hold."""
    if rule == "type":
        return "must be " + " or ".join(TYPES[name] for name in kind.types)
    if rule == "required":
        return f"the key {kind.property!r} is missing"
    if rule in ("additionalProperties", "unevaluatedProperties"):
        return f"{len(kind.unexpected)} key(s) that the schema does not know"
    if rule == "format":
        return f"is not a {kind.format}"
    if rule == "enum":
        return f"must be one of {json.dumps(kind.options, ensure_ascii=False)[:200]}"
    limits = ("limit", "pattern", "multiple_of", "expected_value")
    limit = next((getattr(kind, name) for name in limits if hasattr(kind, name)), None)
    if limit is None:
        return f"does not fit the schema's {rule}"
    return f"does not fit {rule}: {json.dumps(limit, ensure_ascii=False, default=str)[:200]}"
