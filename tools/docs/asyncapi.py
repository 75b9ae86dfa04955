"""docs/asyncapi.json: every subject of the bus with what goes over it (AsyncAPI 3.0)."""

import json
from typing import Any

from pydantic import BaseModel

from libs.common.fields import meaning_of
from libs.common.messages import Ask, Command, Event
from libs.common.process import VERSION
from libs.common.relay import subject_of
from tools import inventory
from tools.docs.markdown import first_sentence

REF = "#/components/schemas/{model}"


def asyncapi_document() -> str:
    schemas: dict[str, Any] = {}
    channels: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for kind in inventory.events():
        messages[kind.type] = _event(kind, schemas)
    for producer in sorted({name.partition(".")[0] for name in messages}):
        _events_of(producer, [m for m in messages if m.startswith(f"{producer}.")],
                   channels, operations)  # fmt: skip
    for ask in inventory.asks():
        messages[ask.type] = {"name": ask.type, "payload": _schema(ask, schemas)}
        channels[ask.type] = _channel(ask.type, [ask.type])
        operations[ask.type] = _answering(ask)
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "Troth on the bus", "version": VERSION, "description": (
            "Commands and queries are request and reply in the queue group of the service."
            " Events are CloudEvents in JSON batches, by number, one subject per log."
        )},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": dict(sorted(schemas.items()))},
    }  # fmt: skip
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _channel(address: str, names: list[str]) -> dict[str, Any]:
    refs = {name: {"$ref": f"#/components/messages/{name}"} for name in names}
    return {"address": address, "messages": refs}


def _events_of(
    producer: str, names: list[str], channels: dict[str, Any], operations: dict[str, Any]
) -> None:
    channel = f"{producer}.events"
    channels[channel] = _channel(subject_of(producer), names)
    operations[channel] = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "description": f"The relay of {producer} publishes its log, up to 100 events in a message.",
    }


def _answering(ask: type[Ask]) -> dict[str, Any]:
    """Ours is the side that answers."""
    operation: dict[str, Any] = {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{ask.type}"},
        "tags": [{"name": "command" if issubclass(ask, Command) else "query"}],
    }
    if said := first_sentence(ask.__dict__.get("__doc__")):
        operation["summary"] = said
    if ask.permission:
        operation["x-permission"] = ask.permission
    return operation


def _event(kind: type[Event], schemas: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": kind.type,
        "contentType": "application/cloudevents-batch+json",
        "payload": _schema(kind, schemas),
        "x-version": kind.version,
        "x-public": kind.public,
    }


def _schema(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    """The model's schema with the data class of each field; parts go to the components."""
    schema = model.model_json_schema(ref_template=REF, mode="serialization")
    for name, part in schema.pop("$defs", {}).items():
        schemas.setdefault(name, part)
    for name, info in model.model_fields.items():
        meaning = meaning_of(info.annotation, info.metadata)
        if meaning is not None and (shown := schema["properties"].get(info.alias or name)):
            shown["x-data"] = meaning.data_class
            if meaning.sealed:
                shown["x-sealed"] = True
    return schema
