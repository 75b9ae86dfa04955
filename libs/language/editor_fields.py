"""Pieces of the language's own JSON Schema: kinds of fields, objects, and what is said of them."""

from typing import Any

Schema = dict[str, Any]

NO_EXPRESSION = {"not": {"pattern": r"\$\{\{"}}
LITERAL: Schema = {"type": "string", **NO_EXPRESSION}
DURATION: Schema = {"$ref": "#/$defs/duration"}
EXPRESSION: Schema = {"$ref": "#/$defs/expression"}
VALUE: Schema = {"$ref": "#/$defs/value"}
BOOLEAN: Schema = {"type": "boolean", "default": False}
JSON_SCHEMA: Schema = {"type": ["object", "boolean"]}
KINDS_OF_FIELDS: dict[str, Schema] = {
    "duration": {
        "description": "A whole number and a unit, such as 500ms, 30s, 5m, 12h, 7d; at most 365d.",
        "type": "string",
        "pattern": r"^[0-9]{1,15}(ms|s|m|h|d)$",
    },
    "expression": {
        "description": "Exactly one expression: ${{ … }}.",
        "type": "string",
        "pattern": r"^\s*\$\{\{[\s\S]*\}\}\s*$",
    },
    "value": {"description": "Any JSON value; texts in it may contain ${{ expressions }}."},
}


def said(schema: Schema, description: str) -> Schema:
    """A field with its meaning."""
    return {**schema, "description": description}


def ref(name: str) -> Schema:
    """Another part of the language."""
    return {"$ref": f"#/$defs/{name}"}


def whole(pattern: str) -> str:
    """A pattern for the whole text."""
    return f"^(?:{pattern})$"


def text(pattern: str) -> Schema:
    """A text of a form."""
    return {"type": "string", "pattern": whole(pattern)}


def words(chars_max: int) -> Schema:
    """A literal for people."""
    return {**LITERAL, "maxLength": chars_max}


def integer(low: int, high: int) -> Schema:
    """A literal integer within limits."""
    return {"type": "integer", "minimum": low, "maximum": high}


def one_of(*choices: str) -> Schema:
    """A word out of a list; the first one is the default."""
    return {"enum": list(choices), "default": choices[0]}


def list_of(items: Schema, items_max: int, items_min: int = 0) -> Schema:
    """A list within limits."""
    least = {"minItems": items_min} if items_min else {}
    return {"type": "array", "items": items, **least, "maxItems": items_max}


def closed(
    description: str, properties: Schema, required: tuple[str, ...] = (), **more: Any
) -> Schema:
    """An object with these keys and no others."""
    return {
        "description": description,
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        **more,
    }
