"""`approval`: who is asked, how many must agree, what they may edit, and what happens without."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from libs.language.check_context import Fields, Made, Scope
from libs.language.check_schema import constant_fits, schema_at
from libs.language.check_shapes import Keys, ListOf, Shape
from libs.language.check_values import value_at
from libs.language.check_waits import needs_timeout
from libs.language.source import pointer_of
from libs.language.steps import ApprovalStep
from libs.language.templates import Value

APPROVAL_KEYS = (
    *("by", "quorum", "message", "input", "timeout", "on_timeout", "on_reject", "remind"),
    "not_the_starter",
)
# The roles of a member; a test compares them with those of the identity service.
ROLES = ("owner", "admin", "builder", "runner", "viewer", "auditor", "billing")
MAY_DECIDE = ("owner", "admin", "builder", "runner")
PERSON = re.compile(r"person:per_[0-9a-hjkmnp-tv-z]{26}")
BY_MAX = 20
QUORUM_MAX = 20
REMIND_MIN_S = 60.0
BY_FORM = "role:admin or person:per_…"


def approval_step(
    fields: Fields, step_id: str, title: str | None, scope: Scope, depth: int
) -> Made:
    """`approval: {by, message, …}`; a rejection fails the step unless `on_reject: continue`."""
    fields.only(("id", "title", "approval"))
    inner = fields.inner("approval")
    if inner is None:
        return Made(None, None)
    inner.only(APPROVAL_KEYS)
    by = by_at(inner)
    quorum = quorum_at(inner, by)
    message = message_at(inner, scope)
    schema, value, input_shape = edited_at(inner, scope)
    timeout_s = inner.duration("timeout")
    on_timeout = on_timeout_at(inner)
    on_reject = inner.one_of("on_reject", ("fail", "continue"))
    shape = Keys(
        {
            "decision": None,
            "decided_by": ListOf(None),
            "comment": None,
            "input": input_shape,
            "at": None,
        }
    )
    if not by or message is None:
        return Made(None, shape)
    step = ApprovalStep(
        step_id,
        title,
        pointer_of(fields.path),
        by,
        quorum,
        message,
        schema,
        value,
        timeout_s,
        on_timeout,
        "continue" if on_reject == "continue" else "fail",
        remind_at(inner),
        inner.boolean("not_the_starter"),
    )
    return Made(step, shape)


def by_at(fields: Fields) -> tuple[str, ...]:
    """Who may decide: roles and persons, at least one."""
    if "by" not in fields:
        fields.missing("by", f"a list of who may decide, such as {BY_FORM}")
        return ()
    if fields.value["by"] == []:
        detail = "`by` names nobody: nobody could decide"
        fields.report.problem(fields.at("by"), "too-few", detail)
    found: list[str] = []
    for path, text in fields.texts("by", BY_MAX):
        kind, _, name = text.partition(":")
        if kind == "role" and name in ROLES:
            if name not in MAY_DECIDE:
                detail = f"a member who is only {name} may not decide approvals"
                fields.report.warning(path, "may-not-decide", detail, found=text)
        elif not PERSON.fullmatch(text):
            detail = f"`by` lists {BY_FORM}; roles are {', '.join(ROLES)}"
            near = [f"role:{role}" for role in ROLES]
            fields.report.problem(path, "bad-approver", detail, found=text, near=near)
            continue
        found.append(text)
    return tuple(dict.fromkeys(found))


def quorum_at(fields: Fields, by: tuple[str, ...]) -> int:
    """How many different persons must approve."""
    quorum = fields.integer("quorum", 1, QUORUM_MAX) or 1
    persons = all(entry.startswith("person:") for entry in by)
    if by and persons and quorum > len(by):
        detail = f"`by` names {len(by)} persons; {quorum} can never have approved"
        fields.report.problem(fields.at("quorum"), "out-of-range", detail, found=str(quorum))
    return quorum


def message_at(fields: Fields, scope: Scope) -> Value | None:
    """What the people are asked: a text, perhaps with expressions."""
    if "message" not in fields:
        fields.missing("message", "what the people are asked")
        return None
    if not isinstance(fields.value["message"], str):
        fields.wrong_type("message", "text")
        return None
    return value_at(fields, "message", scope)


def edited_at(
    fields: Fields, scope: Scope
) -> tuple[Mapping[str, Any] | bool | None, Value | None, Shape]:
    """`input: {schema, value}`: what people may edit, and what stands there when they are asked."""
    inner = fields.inner("input")
    if inner is None:
        return None, None, None
    inner.only(("schema", "value"))
    for key, what in (("schema", "of what may be edited"), ("value", "what is edited")):
        if key not in inner:
            inner.missing(key, what)
    shape = schema_at(inner, "schema")
    value = value_at(inner, "value", scope) if "value" in inner else None
    if value is not None:
        constant_fits(inner, inner.at("value"), shape, value, "`value`")
    return inner.value.get("schema"), value, shape


def on_timeout_at(fields: Fields) -> Literal["reject", "approve", "fail"]:
    """What happens when nobody decided in time; a rejection unless said otherwise."""
    found = fields.one_of("on_timeout", ("reject", "approve", "fail"))
    needs_timeout(fields)
    return "approve" if found == "approve" else "fail" if found == "fail" else "reject"


def remind_at(fields: Fields) -> float | None:
    """After how long people are reminded, again and again; at least a minute."""
    remind_s = fields.duration("remind")
    if remind_s is not None and remind_s < REMIND_MIN_S:
        detail = "people are reminded once a minute at most"
        fields.report.problem(fields.at("remind"), "out-of-range", detail)
    return remind_s
