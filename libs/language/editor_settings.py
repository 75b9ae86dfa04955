"""The language's own JSON Schema: what holds for all executions, and a workflow's tests."""

from libs.language import check_settings, check_tests
from libs.language.editor_fields import (
    BOOLEAN,
    DURATION,
    EXPRESSION,
    Schema,
    closed,
    integer,
    list_of,
    one_of,
    ref,
    said,
    words,
)

ERROR = {
    "type": said({}, "Such as timeout or expression-type."),
    "message": said({}, "What people read."),
    "step": said({}, "The id of the step that failed."),
    "path": said({}, "The same with the numbers of items: post[3]."),
    "attempts": said({}, "How often it was tried."),
    "status": said({}, "The HTTP status that was answered."),
}
KEY = said(EXPRESSION, "What is counted apart; without it, the workflow as a whole.")


def setting_parts() -> Schema:
    """The settings, each an object."""
    limit = integer(1, check_settings.CONCURRENT_MAX)
    concurrency = {
        "key": KEY,
        "limit": said(limit, "How many run at once."),
        "then": said(one_of(*check_settings.CONCURRENCY_THEN), "What happens with more."),
    }
    debounce = {
        "key": KEY,
        "window": said(DURATION, "How long it must be quiet."),
        "max": said(DURATION, "At the latest so long after the first start."),
        "collect": said(BOOLEAN, 'The input is {"items": [every input]}, else the last one.'),
    }
    rate = {
        "key": KEY,
        "limit": said(integer(1, check_settings.RATE_MAX), "How many may start."),
        "per": said(DURATION, "In which time."),
        "then": said(one_of(*check_settings.RATE_THEN), "What happens with more."),
    }
    budget = {
        "steps": said(integer(1, check_settings.BUDGET_STEPS_MAX), "Results, items included."),
        "duration": said(DURATION, "From the start, waits included."),
    }
    return {
        "concurrency": closed("How many executions run at once.", concurrency, ("limit",)),
        "debounce": closed("Many starts become one execution.", debounce, ("window",)),
        "rate": closed("How many executions start in a time.", rate, ("limit", "per")),
        "budget": closed("What one execution may use.", budget),
        "test": test(),
        "expect": expect(),
    }


def test() -> Schema:
    """One of `tests`."""
    properties = {
        "name": said(words(check_tests.TEST_NAME_CHARS_MAX), "What it shows; unique."),
        "input": said({}, "The input; {} without it."),
        "vars": said({"type": "object"}, "Variables by name."),
        "mocks": said(
            {"type": "object"},
            "By a step's id: its result, a list of them by item (else by attempt), or {error};"
            " of code {calls: [...]}, its calls' answers.",
        ),
        "expect": ref("expect"),
    }
    return closed(
        "A case that the workflow carries; no expressions.", properties, ("name", "expect")
    )


def expect() -> Schema:
    """What a test compares."""
    error = closed("What it fails with, as far as it is named.", ERROR)
    effect = {
        "type": "object",
        "properties": {
            "step": said({"type": "string"}, "The id of the step that has it."),
            "path": said({"type": "string"}, "Which item's: post[3]."),
            "with": said({}, "What was asked, as far as it is named."),
            "undo": said({"type": "boolean"}, "That it was undone."),
        },
        "required": ["step"],
    }
    properties = {
        "output": said({}, "What the execution returns."),
        "outcome": said({"enum": list(check_tests.OUTCOMES)}, "How it ends."),
        "error": error,
        "steps": said({"type": "object"}, "Results by a step's id."),
        "effects": said(list_of(effect, check_tests.EFFECTS_MAX), "What it changes outside."),
    }
    return closed("What is compared; what is not named is not.", properties, minProperties=1)
