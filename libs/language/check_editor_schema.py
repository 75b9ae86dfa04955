"""The language as a JSON Schema, for editors and other tools; what comes later is not in it."""

from libs.language import check, check_head, check_settings, check_tests, check_triggers
from libs.language.editor_fields import (
    DURATION,
    JSON_SCHEMA,
    KINDS_OF_FIELDS,
    LITERAL,
    VALUE,
    Schema,
    closed,
    integer,
    list_of,
    ref,
    said,
    text,
    whole,
    words,
)
from libs.language.editor_settings import setting_parts
from libs.language.editor_steps import step_parts
from libs.language.editor_triggers import trigger_parts

ADDRESS = "/v1/schema/workflow"


def workflow_schema() -> Schema:
    """JSON Schema (2020-12) of language version 1, without what comes later and without scopes."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ADDRESS,
        "title": "Troth workflow",
        **closed("A workflow.", document_fields(), ("troth", "name", "steps")),
        "$defs": {**step_parts(), **trigger_parts(), **setting_parts(), **KINDS_OF_FIELDS},
    }


def document_fields() -> Schema:
    """The keys of a document."""
    labels = {
        "type": "object",
        "maxProperties": check_head.LABELS_MAX,
        "propertyNames": {"pattern": whole(check_head.LABEL.pattern)},
        "additionalProperties": words(check_head.LABEL_CHARS_MAX),
    }
    host = {**LITERAL, "minLength": 1, "maxLength": 261}
    priority = {
        **integer(check_settings.PRIORITY_MIN, check_settings.PRIORITY_MAX),
        "default": 0,
    }
    return {
        "troth": said({"const": 1}, "The version of the language; the first key."),
        "name": said(text(check.NAME.pattern), "The workflow's name in addresses and lists."),
        "title": said(words(check.TITLE_CHARS_MAX), "What people read."),
        "description": said(words(check.DESCRIPTION_CHARS_MAX), "What it is for."),
        "labels": said(labels, "Literal words to search by."),
        "input": said(
            JSON_SCHEMA,
            "JSON Schema 2020-12 of the input; $ref only to #/$defs/…, at most 64 KiB, 500 parts.",
        ),
        "on": said(
            list_of(ref("trigger"), check_triggers.TRIGGERS_MAX),
            "What starts it; starting by hand is always possible.",
        ),
        **{key: ref(key) for key in ("concurrency", "debounce", "rate")},
        "priority": said(priority, "Higher is taken first within the organization."),
        "budget": ref("budget"),
        "egress": said(list_of(host, check_head.EGRESS_MAX), "Hosts; nothing else can be reached."),
        "timeout": said(DURATION, "Of the whole execution, waits included."),
        "steps": said({**ref("steps"), "minItems": 1}, "What runs, in this order."),
        "on_error": said(ref("block"), "Runs when the execution fails; `error` is what happened."),
        "output": said(VALUE, "What the execution returns; without it, its results by id."),
        "tests": said(list_of(ref("test"), check_tests.TESTS_MAX), "Cases to try it with."),
    }
