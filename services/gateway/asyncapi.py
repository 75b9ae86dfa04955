"""The AsyncAPI document: the public events, as customers' endpoints and `/v1/events` get them."""

import inspect
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from libs.common.fields import meaning_of
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
    return {
        "name": name, "title": kind.__name__, "summary": inspect.getdoc(kind) or name,
        "contentType": "application/cloudevents+json", "x-version": kind.version,
        "payload": _envelope(name, public_schema(kind)),
    }  # fmt: skip


def public_schema(kind: type[Event]) -> dict[str, Any]:
    """The schema of an event's data without sealed fields, complete in itself."""
    schema = kind.model_json_schema(mode="serialization")
    inner = schema.pop("$defs", {})
    _strip(schema, kind)
    for model in _models(kind):
        if model.__name__ in inner:
            _strip(inner[model.__name__], model)
    return _inlined(schema, inner)


def _strip(schema: dict[str, Any], model: type[BaseModel]) -> None:
    sealed = {name for name, info in model.model_fields.items() if _is_sealed(info)}
    shown = {k: v for k, v in schema.get("properties", {}).items() if k not in sealed}
    schema["properties"] = shown
    schema["required"] = [name for name in schema.get("required", []) if name not in sealed]


def _is_sealed(info: FieldInfo) -> bool:
    meaning = meaning_of(info.annotation, info.metadata)
    return meaning is not None and meaning.sealed


def _models(model: type[BaseModel]) -> set[type[BaseModel]]:
    """The models that stand in fields of a model, however deep."""
    found: set[type[BaseModel]] = set()
    waiting: list[Any] = [info.annotation for info in model.model_fields.values()]
    while waiting:
        annotation = waiting.pop()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            if annotation not in found:
                found.add(annotation)
                waiting += [info.annotation for info in annotation.model_fields.values()]
        else:
            waiting += get_args(annotation)
    return found


def _inlined(schema: Any, inner: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(item, inner) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(inner[schema["$ref"].rpartition("/")[2]], inner)
    return {key: _inlined(value, inner) for key, value in schema.items()}


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
