"""The list `on`: what starts a workflow beside a person."""

from collections.abc import Callable, Mapping

from libs.language.check_context import STEP_ID, Fields, Scope
from libs.language.check_events import event_at
from libs.language.check_schedule import schedule_at
from libs.language.check_webhooks import webhook_at
from libs.language.document import Trigger, WebhookTrigger

TRIGGERS_MAX = 20
TRIGGER_KINDS: Mapping[str, Callable[[Fields, str | None, Scope], Trigger | None]] = {
    "webhook": webhook_at,
    "schedule": schedule_at,
    "event": event_at,
}
TRIGGERS_LATER = ("mcp",)


def triggers_at(fields: Fields, scope: Scope) -> tuple[Trigger, ...]:
    """The triggers of a document; ids and paths once each."""
    triggers: list[Trigger] = []
    taken: set[tuple[str, str]] = set()
    for index, raw in enumerate(fields.items("on", TRIGGERS_MAX)):
        path = (*fields.at("on"), index)
        if not isinstance(raw, dict):
            detail = "a trigger is an object with one of webhook, schedule, event, mcp"
            fields.report.problem(path, "block-shape", detail, see="triggers")
            continue
        trigger = trigger_at(Fields(fields.context, path, raw), scope)
        if trigger is None:
            continue
        hook = trigger.path if isinstance(trigger, WebhookTrigger) else None
        for key, name in (("id", trigger.id), ("path", hook)):
            if name is not None and (key, name) in taken:
                rule = "id-taken" if key == "id" else "path-taken"
                detail = f"another trigger of this document has the {key} {name!r}"
                fields.report.problem(path, rule, detail, see="triggers", found=name)
            taken.add((key, name or ""))
        triggers.append(trigger)
    return tuple(triggers)


def trigger_at(fields: Fields, scope: Scope) -> Trigger | None:
    """One trigger, None if it can't be used."""
    fields.only(("id", *TRIGGER_KINDS), later=TRIGGERS_LATER)
    form = "a to z, 0 to 9 and _, beginning with a letter, at most 40 characters"
    trigger_id = fields.matching("id", STEP_ID, "bad-id", form)
    kinds = [kind for kind in (*TRIGGER_KINDS, *TRIGGERS_LATER) if kind in fields]
    if len(kinds) != 1:
        detail = "a trigger has exactly one of webhook, schedule, event, mcp"
        fields.report.problem(fields.path, "one-kind", detail, see="triggers")
        return None
    inner = fields.inner(kinds[0]) if kinds[0] in TRIGGER_KINDS else None
    return None if inner is None else TRIGGER_KINDS[kinds[0]](inner, trigger_id, scope)
