"""docs/language.md: the reference of the workflow language, out of its JSON Schema."""

from collections.abc import Iterator
from inspect import signature
from typing import Any

from libs.language import FUNCTIONS
from libs.language.check_editor_schema import workflow_schema
from libs.language.functions import TABLE
from tools.docs.language_examples import example
from tools.docs.language_words import (
    BLOCKS,
    EXPRESSIONS,
    FIELDS,
    FILE,
    FILES,
    INTRODUCTION,
    SCOPES,
    SECRETS,
    SETTINGS,
    TESTS,
    TRIGGERS,
)
from tools.docs.markdown import code, page, table

HEAD = ("key", "", "type", "meaning")
SECTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Blocks": (
        BLOCKS,
        (
            *("set", "uses", "retry", "undo", "choose", "branch", "for_each", "pages"),
            *("parallel", "try", "handler", "wait", "approval", "workflow", "python", "block"),
        ),
    ),
    "Triggers": (TRIGGERS, ("trigger", "webhook", "verify", "schedule", "event")),
    "Settings": (SETTINGS, ("concurrency", "debounce", "rate", "budget")),
    "Tests": (TESTS, ("test", "expect")),
}
PARTS = ("document", *(part for _, parts in SECTIONS.values() for part in parts))
NAMES = {"string": "text", "object": "object", "boolean": "true or false", "array": "list"}


def language_page() -> str:
    schema = workflow_schema()
    parts = [INTRODUCTION, "## The file", FILE, _part("document", schema)]
    parts += ["## Fields", FIELDS, _fields(schema)]
    parts += ["## Expressions", EXPRESSIONS, _functions(), "## Scopes", SCOPES]
    for title, (words, names) in SECTIONS.items():
        parts += [f"## {title}", words]
        parts += [_part(name, schema["$defs"][name]) for name in names]
    return page("The workflow language", *parts, "## Files", FILES, "## Secrets", SECRETS)


def _part(name: str, schema: dict[str, Any]) -> str:
    title = "### The document" if name == "document" else f"### `{name}`"
    rows = [
        (code(key), "required" if needed else "", _type(field), _meaning(field))
        for key, needed, field in keys_of(schema)
    ]
    shown = f"```yaml\n{example(name)}```"
    return "\n\n".join((title, schema["description"], table(HEAD, rows), shown))


def keys_of(schema: dict[str, Any], above: str = "") -> Iterator[tuple[str, bool, dict[str, Any]]]:
    """The keys of an object with their fields, those of objects inside it as `above.key`."""
    for key, field in schema.get("properties", {}).items():
        yield f"{above}{key}", key in schema.get("required", ()), field
        if "$ref" not in field:
            yield from keys_of(field, f"{above}{key}.")


def _meaning(field: dict[str, Any]) -> str:
    said = field.get("description") or workflow_schema()["$defs"][_ref(field)]["description"]
    default = field.get("default")
    if default is None or default is False:
        return said
    return f"{said} Default: {code(str(default).lower())}."


def _fields(schema: dict[str, Any]) -> str:
    names = ("duration", "expression", "value", "connector")
    return table(
        ("kind", "what may stand there"),
        [(code(name), schema["$defs"][name]["description"]) for name in names],
    )


def _functions() -> str:
    """Every function with its arguments; `has` takes a path, so it is none of the table."""
    shown = [
        f"{name}({', '.join(list(signature(f.call).parameters)[1:])})" for name, f in TABLE.items()
    ]
    shown += [f"{name}(path)" for name in FUNCTIONS - set(TABLE)]
    return " · ".join(code(each) for each in sorted(shown))


def _ref(field: dict[str, Any]) -> str:
    return field.get("$ref", "").rpartition("/")[2]


def _type(field: dict[str, Any]) -> str:
    """What may stand in a field, in words."""
    if name := _ref(field):
        return code(name)
    if "const" in field:
        return code(str(field["const"]))
    if "enum" in field:
        return ", ".join(code(str(each)) for each in field["enum"])
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(each) for each in field["anyOf"]))
    kind = field.get("type")
    if kind == "integer":
        return f"integer, {field['minimum']} to {field['maximum']}"
    if kind == "array":
        return f"list of {_type(field['items'])}"
    if isinstance(kind, list):
        return " or ".join(NAMES[each] for each in kind)
    if kind is None:
        return "any JSON"
    return NAMES[kind]
