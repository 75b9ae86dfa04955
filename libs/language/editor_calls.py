"""The language's own JSON Schema: connectors' names, retry and undo."""

from libs.language import check_retry
from libs.language.check_uses import CONNECTOR
from libs.language.editor_fields import (
    DURATION,
    Schema,
    closed,
    integer,
    list_of,
    one_of,
    ref,
    said,
    text,
)


def call_parts() -> Schema:
    """What a call of a connector is made of."""
    connector = said(text(CONNECTOR.pattern), "A connector with its version: http-request@1.")
    return {"connector": connector, "retry": retry(), "undo": undo()}


def retry() -> Schema:
    """`retry`."""
    kinds = [*check_retry.RETRY_TYPES, *check_retry.STATUS_CLASSES]
    entry = {"anyOf": [{"enum": kinds}, integer(400, 599)]}
    properties = {
        "attempts": said(integer(1, check_retry.ATTEMPTS_MAX), "How often, the first included."),
        "backoff": said(one_of("exponential", "fixed"), "Whether the pauses double."),
        "initial": said(DURATION, "The longest first pause; 1s without it."),
        "max": said(DURATION, "The longest pause; 30s without it."),
        "on": said(list_of(entry, check_retry.RETRY_ENTRIES_MAX), "After which errors."),
        "then": said(one_of("fail", "pause"), "After the last one; `pause` waits for a person."),
    }
    return closed("When a connector is tried again.", properties)


def undo() -> Schema:
    """`undo`."""
    own_retry = {**ref("retry"), "properties": {"then": {"const": "fail"}}}
    properties = {
        "uses": said(ref("connector"), "The connector that reverses the effect."),
        "with": said({"type": "object"}, "What it gets; sees the step's result under its id."),
        "retry": said(own_retry, "When it is tried again; without it, as the step."),
        "timeout": said(DURATION, "Of one attempt; without it, the step's."),
    }
    return closed("What reverses an effect, in reverse order of completion.", properties,
                  ("uses",))  # fmt: skip
