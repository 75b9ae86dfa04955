"""Events in a document: their types, their shape as CloudEvents, and the trigger by an event."""

import re

from libs.language.check_context import Fields, Scope
from libs.language.check_shapes import Fits
from libs.language.check_values import expression_at, value_at
from libs.language.document import EventTrigger

EVENT_KEYS = ("type", "match", "with")
SERVICES = (
    *("identity", "workflows", "executor", "billing", "audit", "subscriptions"),
)  # fmt: skip
CUSTOM = "custom."
# One `*` may end a type: it stands for whatever follows.
CUSTOM_TYPE = re.compile(r"custom\.(?:[a-z0-9._-]{1,100}\*?|\*)")
SERVICE_TYPE = re.compile(r"([a-z]{1,40})\.event\.(?:[a-z0-9-]{1,100}\*?|\*)")
TYPE_FORM = "custom.<name> or <service>.event.<name>, perhaps with one * at the end"
CLOUD_EVENT = {
    "type": ["object", "null"],
    "properties": {
        **{key: {"type": "string"} for key in ("specversion", "id", "type", "source", "subject")},
        **{key: {"type": "string"} for key in ("time", "datacontenttype", "dataschema")},
        **{key: {} for key in ("organization", "streamversion", "data")},
    },
}
EVENT_SHAPE = Fits(CLOUD_EVENT, CLOUD_EVENT)


def event_type(fields: Fields) -> str | None:
    """The literal `type` of an event that is waited for or starts something."""
    if "type" not in fields:
        fields.missing("type", TYPE_FORM)
        return None
    text = fields.literal("type")
    if text is None:
        return None
    path = fields.at("type")
    found = SERVICE_TYPE.fullmatch(text)
    if found is None and not CUSTOM_TYPE.fullmatch(text):
        detail = f"an event's type is {TYPE_FORM}"
        mean = f"{CUSTOM}{text}" if CUSTOM_TYPE.fullmatch(f"{CUSTOM}{text}") else None
        fields.report.problem(path, "bad-event-type", detail, see="triggers", found=text, mean=mean)
        return None
    if found is not None and found[1] not in SERVICES:
        detail = f"no service {found[1]!r} has events; known are {', '.join(SERVICES)}"
        fields.report.problem(
            path, "bad-event-type", detail, see="triggers", found=found[1], near=SERVICES
        )
        return None
    return text


def event_at(fields: Fields, trigger_id: str | None, scope: Scope) -> EventTrigger | None:
    """`event: {type, match, with}`; without `with` the input is the event's data.

    `match` sees `event`, `workflow` and `vars`; `with` sees `trigger` too.
    """
    fields.only(EVENT_KEYS)
    kind = event_type(fields)
    names = {name: scope.names[name] for name in ("workflow", "vars")}
    seen = Scope({**names, "event": EVENT_SHAPE})
    match = expression_at(fields, "match", seen) if "match" in fields else None
    with_ = None
    if "with" in fields:
        with_ = value_at(fields, "with", seen.plus("trigger", scope.names["trigger"]))
    return None if kind is None else EventTrigger(trigger_id, kind, match, with_)
