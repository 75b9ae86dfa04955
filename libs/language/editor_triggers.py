"""The language's own JSON Schema: what starts a workflow."""

from libs.language import check_events, check_schedule, check_webhooks
from libs.language.check_context import STEP_ID
from libs.language.check_triggers import TRIGGER_KINDS
from libs.language.editor_fields import (
    DURATION,
    EXPRESSION,
    LITERAL,
    VALUE,
    Schema,
    closed,
    list_of,
    one_of,
    ref,
    said,
    text,
    whole,
)

SERVICE_TYPE = check_events.SERVICE_TYPE.pattern.replace(
    "([a-z]{1,40})", f"(?:{'|'.join(check_events.SERVICES)})"
)
EVENT_TYPE = text(f"{check_events.CUSTOM_TYPE.pattern}|{SERVICE_TYPE}")


def trigger_parts() -> Schema:
    """A trigger and its kinds."""
    properties = {"id": said(text(STEP_ID.pattern), "Names the trigger in lists and calls.")}
    properties |= {kind: ref(kind) for kind in TRIGGER_KINDS}
    one = [{"required": [kind]} for kind in TRIGGER_KINDS]
    return {
        "trigger": closed("What starts a workflow: one kind.", properties, oneOf=one),
        "webhook": webhook(),
        "verify": verify(),
        "schedule": schedule(),
        "event": event(),
    }


def webhook() -> Schema:
    """`webhook`."""
    headers = list_of(text(check_webhooks.HEADER.pattern), check_webhooks.HEADERS_MAX)
    query = list_of(text(check_webhooks.QUERY_KEY.pattern), check_webhooks.HEADERS_MAX)
    properties = {
        "path": said(
            text(check_webhooks.HOOK_PATH.pattern), "The last part of /hooks/{organization}/{path}."
        ),
        "verify": ref("verify"),
        "respond": said(
            one_of("accepted", "result"), "`result` answers with the execution's output."
        ),
        "timeout": said(DURATION, "How long `respond: result` waits, at most 60s; 10s without."),
        "headers": said(headers, "Headers that `trigger.headers` holds."),
        "query": said(query, "What `trigger.query` holds."),
        "with": said(VALUE, "Makes the input out of `input`, the body, and `trigger`."),
    }
    what = (
        "Starts by a call of an address. JSON is the input; the fields of a form are an object of"
        " texts; any other body, and a file in a form, becomes a file, `{$file: …}`."
    )
    return closed(what, properties, ("path", "verify"))


def verify() -> Schema:
    """How callers of a webhook prove who they are."""
    secret = {"type": "string", "pattern": r"^\s*\$\{\{\s*secret\."}
    header = {"type": "string", "pattern": whole(check_webhooks.HEADER.pattern)}
    properties = {
        "scheme": said({"enum": list(check_webhooks.SCHEMES)}, "`none` lets anybody in."),
        "secret": said(secret, "${{ secret.name }}: the key they sign with."),
        "header": said(header, "Where the token is; only for the scheme token."),
    }
    return closed("How callers prove who they are.", properties, ("scheme",))


def schedule() -> Schema:
    """`schedule`."""
    cron = {**LITERAL, "pattern": r"^\s*\S+(?:\s+\S+){4}\s*$"}
    properties = {
        "cron": said(cron, "Minute, hour, day, month, weekday; names are allowed."),
        "timezone": said({**LITERAL, "default": "UTC"}, "A zone such as Europe/Vilnius."),
        "missed": said(
            one_of(*check_schedule.MISSED), "What happens with instants while nothing ran."
        ),
        "with": said(VALUE, "The input; {} without it."),
    }
    return closed("Starts at the instants of a cron line, each once.", properties, ("cron",))


def event() -> Schema:
    """`event`."""
    properties = {
        "type": said(EVENT_TYPE, "custom.<name> or <service>.event.<name>; a * may end it."),
        "match": said(EXPRESSION, "Whether it starts; sees `event`."),
        "with": said(VALUE, "The input, out of `event`; without it, the event's data."),
    }
    return closed("Starts by an event of the platform or an own one.", properties, ("type",))
