"""The AsyncAPI document: the public events, as customers' endpoints and `/v1/events` get them."""

import inspect
from typing import Any

from libs.common.fields import Meaning
from libs.common.messages import EVENTS, Event
from libs.common.process import VERSION


def document() -> dict[str, Any]:
    """AsyncAPI 3.0 of every event class that is public; sealed fields are left out."""
    public = {name: kind for name, kind in sorted(EVENTS.items()) if kind.public}
    messages = {name: _message(name, kind) for name, kind in public.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Troth events", "version": VERSION,
                 "description": "CloudEvents 1.0, signed by Standard Webhooks."},
        "channels": {
            "events": {
                "description": "An endpoint of an event subscription, or GET /v1/events.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in public},
            }
        },
        "operations": {
            "sendEvent": {"action": "send", "channel": {"$ref": "#/channels/events"}}
        },
        "components": {"messages": messages},
    }  # fmt: skip


def _message(name: str, kind: type[Event]) -> dict[str, Any]:
    data = kind.model_json_schema(mode="serialization")
    sealed = [field for field, info in kind.model_fields.items()
              if any(isinstance(item, Meaning) and item.sealed for item in info.metadata)
              or _sealed_inside(info.annotation)]  # fmt: skip
    for field in sealed:
        data.get("properties", {}).pop(field, None)
    data["required"] = [field for field in data.get("required", []) if field not in sealed]
    return {
        "name": name, "title": kind.__name__, "summary": inspect.getdoc(kind) or name,
        "contentType": "application/cloudevents+json", "x-version": kind.version,
        "payload": _envelope(name, data),
    }  # fmt: skip


def _sealed_inside(annotation: Any) -> bool:
    from libs.common.fields import meaning_of

    meaning = meaning_of(annotation)
    return meaning is not None and meaning.sealed


def _envelope(name: str, data: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["specversion", "id", "type", "source", "subject", "time", "data"],
        "properties": {
            "specversion": {"const": "1.0"}, "id": text, "type": {"const": name}, "source": text,
            "subject": text, "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"}, "dataschema": text,
            "organization": text, "streamversion": {"type": "integer"}, "actor": text,
            "requestid": {"type": ["string", "null"]}, "data": data,
        },
    }  # fmt: skip
