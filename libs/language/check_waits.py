"""`wait`: for a duration, until a time, or for an event."""

from typing import Literal

from libs.language.check_context import Fields, Made, Scope, duration_s
from libs.language.check_events import EVENT_SHAPE, event_type
from libs.language.check_shapes import Keys
from libs.language.check_values import checked_value, expression_at
from libs.language.source import pointer_of
from libs.language.steps import EventWait, WaitStep
from libs.language.templates import Value

WAIT_SHAPE = Keys({"reason": None, "at": None, "event": EVENT_SHAPE})
WAIT_KINDS = ("for", "until", "event")


def wait_step(fields: Fields, step_id: str, title: str | None, scope: Scope, depth: int) -> Made:
    """`wait: {for: duration}`, `{until: ${{ time }}}` or `{event: {…}}`, perhaps with `timeout`."""
    fields.only(("id", "title", "wait"))
    inner = fields.inner("wait")
    if inner is None:
        return Made(None, WAIT_SHAPE)
    inner.only((*WAIT_KINDS, "timeout", "on_timeout"))
    kinds = [key for key in WAIT_KINDS if key in inner]
    if len(kinds) != 1:
        detail = "`wait` has exactly one of for, until, event"
        fields.report.problem(inner.path, "one-kind", detail)
        return Made(None, WAIT_SHAPE)
    timeout_s, on_timeout = timeout_at(inner)
    until = expression_at(inner, "until", scope) if "until" in inner else None
    for_ = wait_for(inner, scope) if "for" in inner else None
    event = wait_event(inner, scope) if "event" in inner else None
    if until is None and for_ is None and event is None:
        return Made(None, WAIT_SHAPE)
    step = WaitStep(
        step_id, title, pointer_of(fields.path), for_, until, event, timeout_s, on_timeout
    )  # fmt: skip
    return Made(step, WAIT_SHAPE)


def timeout_at(fields: Fields) -> tuple[float | None, Literal["fail", "continue"]]:
    """When a wait gives up, and what then."""
    timeout_s = fields.duration("timeout")
    found = fields.one_of("on_timeout", ("fail", "continue"))
    needs_timeout(fields)
    return timeout_s, "continue" if found == "continue" else "fail"


def needs_timeout(fields: Fields) -> None:
    """`on_timeout` without `timeout` would mean nothing."""
    if "on_timeout" in fields and "timeout" not in fields:
        detail = "`on_timeout` says what happens after `timeout`; without that it means nothing"
        fields.report.problem(fields.at("on_timeout"), "timeout-missing", detail)


def wait_for(fields: Fields, scope: Scope) -> Value | None:
    """The value of `for`: a duration, or a text with expressions that gives one."""
    raw = fields.value["for"]
    if not isinstance(raw, str):
        fields.wrong_type("for", "a duration such as 30s")
        return None
    value = checked_value(fields.context, fields.at("for"), raw, scope)
    if value is not None and value.is_constant:
        return value if duration_s(fields.report, fields.at("for"), raw) else None
    return value


def wait_event(fields: Fields, scope: Scope) -> EventWait | None:
    """`event: {type, match, look_back}`; `match` sees `event` beside what the step sees."""
    inner = fields.inner("event")
    if inner is None:
        return None
    inner.only(("type", "match", "look_back"))
    kind = event_type(inner)
    match = None
    if "match" in inner:
        match = expression_at(inner, "match", scope.plus("event", EVENT_SHAPE))
    look_back_s = inner.duration("look_back")
    return None if kind is None else EventWait(kind, match, look_back_s)
