"""The language as a JSON Schema, for editors and other tools; what comes later is not in it."""

from typing import Any

from libs.language import check, check_steps, check_triggers, check_uses
from libs.language.check_context import STEP_ID, TITLE_CHARS_MAX

DURATION = r"^[0-9]{1,15}(ms|s|m|h|d)$"
ONE_EXPRESSION = r"^\s*\$\{\{[\s\S]*\}\}\s*$"
LITERAL = {"type": "string", "not": {"pattern": r"\$\{\{"}}
DURATION_FIELD = {"type": "string", "pattern": DURATION}
EXPRESSION_FIELD = {"type": "string", "pattern": ONE_EXPRESSION}
BLOCK_FIELDS = {"steps": {"$ref": "#/$defs/steps"}, "output": {}}
INPUT_NOTE = "JSON Schema 2020-12; $ref only to #/$defs/…, at most 64 KiB and 500 parts"


def whole(pattern: str) -> str:
    """A pattern for the whole text."""
    return f"^(?:{pattern})$"


def closed(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def workflow_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of language version 1, without what comes later and without scopes."""
    words = {**LITERAL, "maxLength": check.TITLE_CHARS_MAX}
    properties = {
        "troth": {"const": 1, "description": "The version of the language; the first key."},
        "name": {"type": "string", "pattern": whole(check.NAME.pattern)},
        "title": words,
        "description": {**LITERAL, "maxLength": check.DESCRIPTION_CHARS_MAX},
        "labels": {
            "type": "object",
            "maxProperties": check.LABELS_MAX,
            "propertyNames": {"pattern": whole(check.LABEL.pattern)},
            "additionalProperties": {**LITERAL, "maxLength": check.LABEL_CHARS_MAX},
        },
        "input": {"type": ["object", "boolean"], "description": INPUT_NOTE},
        "on": {"type": "array", "items": trigger(), "maxItems": check_triggers.TRIGGERS_MAX},
        "budget": closed(
            {"steps": {"type": "integer", "minimum": 1, "maximum": check.BUDGET_STEPS_MAX}}
        ),
        "egress": {
            "type": "array",
            "maxItems": check.EGRESS_MAX,
            "items": {**LITERAL, "minLength": 1, "maxLength": 261},
        },
        "timeout": DURATION_FIELD,
        "steps": {"$ref": "#/$defs/steps", "minItems": 1},
        "output": {},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "/v1/schema/workflow",
        "title": "Troth workflow",
        **closed(properties, ("troth", "name", "steps")),
        "$defs": definitions(),
    }


def definitions() -> dict[str, Any]:
    """The parts that refer to each other."""
    steps = {"type": "array", "maxItems": check_steps.STEPS_MAX, "items": {"$ref": "#/$defs/step"}}
    kinds = {"set": set_(), "uses": uses(), "choose": choose(), "for_each": loop(), "wait": wait()}
    return {
        "steps": steps,
        "block": closed(BLOCK_FIELDS, ("steps",)),
        "step": {"oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in kinds]},
        **kinds,
    }


def step(properties: dict[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    """A step of one kind."""
    common = {
        "id": {"type": "string", "pattern": whole(STEP_ID.pattern)},
        "title": {**LITERAL, "maxLength": TITLE_CHARS_MAX},
    }
    return closed({**common, **properties}, ("id", *required))


def set_() -> dict[str, Any]:
    """`set`."""
    keys = {"not": {"pattern": r"\$\{\{"}}
    return step({"set": {"type": "object", "propertyNames": keys}}, ("set",))


def uses() -> dict[str, Any]:
    """`uses`."""
    kinds = [*check_uses.RETRY_TYPES, *check_uses.STATUS_CLASSES]
    retry = {
        "attempts": {"type": "integer", "minimum": 1, "maximum": check_uses.ATTEMPTS_MAX},
        "backoff": {"enum": ["exponential", "fixed"]},
        "initial": DURATION_FIELD,
        "max": DURATION_FIELD,
        "on": {
            "type": "array",
            "maxItems": check_uses.RETRY_ENTRIES_MAX,
            "items": {
                "anyOf": [{"enum": kinds}, {"type": "integer", "minimum": 400, "maximum": 599}]
            },
        },
        "then": {"const": "fail"},
    }
    properties = {
        "uses": {"type": "string", "pattern": whole(check_uses.CONNECTOR.pattern)},
        "with": {"type": "object"},
        "retry": closed(retry),
        "timeout": DURATION_FIELD,
        "deadline": DURATION_FIELD,
        "once": {"type": "boolean"},
    }
    return step(properties, ("uses",))


def choose() -> dict[str, Any]:
    """`choose`."""
    branch = {
        "when": EXPRESSION_FIELD,
        "name": {**LITERAL, "maxLength": TITLE_CHARS_MAX},
        **BLOCK_FIELDS,
    }
    branches = {"type": "array", "minItems": 1, "items": closed(branch, ("when", "steps"))}
    return step({"choose": branches, "else": {"$ref": "#/$defs/block"}}, ("choose",))


def loop() -> dict[str, Any]:
    """`for_each`."""
    name = {"type": "string", "pattern": whole(STEP_ID.pattern)}
    properties = {
        "for_each": EXPRESSION_FIELD,
        "as": name,
        "index_as": name,
        "concurrency": {
            "type": "integer",
            "minimum": 1,
            "maximum": check_steps.CONCURRENCY_MAX,
            "default": 1,
        },
        "failures": {"enum": ["stop", "collect"], "default": "stop"},
        **BLOCK_FIELDS,
    }
    return step(properties, ("for_each", "as", "steps"))


def wait() -> dict[str, Any]:
    """`wait`."""
    duration = {"anyOf": [DURATION_FIELD, {"type": "string", "pattern": r"\$\{\{"}]}
    kinds = [closed({"for": duration}, ("for",)), closed({"until": EXPRESSION_FIELD}, ("until",))]
    return step({"wait": {"oneOf": kinds}}, ("wait",))


def trigger() -> dict[str, Any]:
    """An entry of `on`."""
    names = {"type": "array", "maxItems": check_triggers.HEADERS_MAX}
    secret = {"type": "string", "pattern": r"^\s*\$\{\{\s*secret\."}
    verify = {
        "scheme": {"enum": list(check_triggers.SCHEMES)},
        "secret": secret,
        "header": {"type": "string", "pattern": whole(check_triggers.HEADER.pattern)},
    }
    webhook = {
        "path": {"type": "string", "pattern": whole(check_triggers.HOOK_PATH.pattern)},
        "verify": closed(verify, ("scheme",)),
        "respond": {"enum": ["accepted", "result"], "default": "accepted"},
        "timeout": DURATION_FIELD,
        "headers": {
            **names,
            "items": {"type": "string", "pattern": whole(check_triggers.HEADER.pattern)},
        },
        "query": {
            **names,
            "items": {"type": "string", "pattern": whole(check_triggers.QUERY_KEY.pattern)},
        },
        "with": {},
    }
    properties = {
        "id": {"type": "string", "pattern": whole(STEP_ID.pattern)},
        "webhook": closed(webhook, ("path", "verify")),
    }
    return closed(properties, ("webhook",))
