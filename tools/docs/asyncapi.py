"""docs/asyncapi.json: every subject of the bus with what goes over it (AsyncAPI 3.0)."""

import json
from typing import Any, get_args

from pydantic import BaseModel

from libs.common.bus import FAILED, META, REPLAYED, VERSION
from libs.common.errors import FieldProblem
from libs.common.fields import meaning_of
from libs.common.grants import FIND_KEY, FIND_KEY_BY_ID, Purpose
from libs.common.messages import Ask, Command, Event, Meta
from libs.common.process import VERSION as RELEASE
from libs.common.relay import subject_of
from tools import inventory
from tools.docs.markdown import first_sentence

Object = dict[str, Any]
REFUSED = "refused"
OF_KEYS = (FIND_KEY, FIND_KEY_BY_ID)
TEXT: Object = {"type": "string"}


def asyncapi_document() -> str:
    parts = _Parts()
    for kind in inventory.events():
        parts.messages[kind.type] = _event(kind, parts)
    for producer in sorted({name.partition(".")[0] for name in parts.messages}):
        parts.events_of(producer)
    parts.messages[REFUSED] = _refusal(parts)
    for ask in inventory.asks():
        parts.ask(ask)
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "Troth on the bus", "version": RELEASE, "description": (
            "Commands and queries are request and reply in the queue group of the service; the"
            " reply goes to the inbox that NATS sends along."
            " Events are CloudEvents in JSON batches, by number, one subject per log."
        )},
        "defaultContentType": "application/json",
        "channels": parts.channels,
        "operations": parts.operations,
        "components": {
            "messages": parts.messages, "schemas": dict(sorted(parts.schemas.items())),
        },
    }  # fmt: skip
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


class _Parts:
    """What the document is put together from."""

    def __init__(self) -> None:
        self.schemas: Object = {}
        self.channels: Object = {}
        self.messages: Object = {}
        self.operations: Object = {}

    def channel(self, name: str, address: str | None, messages: list[str]) -> list[Object]:
        """Makes a channel; gives the references by which operations name its messages."""
        refs = {each: {"$ref": f"#/components/messages/{each}"} for each in messages}
        self.channels[name] = {"address": address, "messages": refs}
        if name in OF_KEYS:
            parameters = {"purpose": {"enum": list(get_args(Purpose))}, "service": {
                "description": "the service that asks; the bus lets no other one publish here",
            }}  # fmt: skip
            self.channels[name] |= {
                "address": f"{name}.{{purpose}}.{{service}}", "parameters": parameters,
            }  # fmt: skip
        return [{"$ref": f"#/channels/{name}/messages/{each}"} for each in messages]

    def events_of(self, producer: str) -> None:
        name = f"{producer}.events"
        theirs = [each for each in self.messages if each.startswith(f"{producer}.")]
        self.operations[name] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{name}"},
            "description": f"The relay of {producer} publishes its log, "
            "up to 100 events in a message.",
            "messages": self.channel(name, subject_of(producer), theirs),
        }

    def ask(self, ask: type[Ask]) -> None:
        """Request and reply; ours is the side that answers."""
        assert ask.answers is not None, f"{ask.type} does not say what it answers"
        answer = f"{ask.type}.answer"
        self.messages[ask.type] = {
            "name": ask.type, "headers": _headers({META: _text_of(Meta)}),
            "payload": self.schema(ask),
        }  # fmt: skip
        self.messages[answer] = {
            "name": answer,
            "headers": _headers({VERSION: "version of what is shown", REPLAYED: "1 when recorded"}),
            "payload": self.schema(ask.answers),
        }
        operation: Object = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{ask.type}"},
            "messages": self.channel(ask.type, ask.type, [ask.type]),
            "reply": {
                "channel": {"$ref": f"#/channels/{ask.type}.reply"},
                "messages": self.channel(f"{ask.type}.reply", None, [answer, REFUSED]),
            },
            "tags": [{"name": "command" if issubclass(ask, Command) else "query"}],
        }
        if said := first_sentence(ask.__dict__.get("__doc__")):
            operation["summary"] = said
        if ask.permission:
            operation["x-permission"] = ask.permission
        self.operations[ask.type] = operation

    def schema(self, model: type[BaseModel]) -> Object:
        """The model's schema with the data class of each field; parts go to the components.

        They are named by their owner too: two services may each have a model of one name.
        """
        owner = "-".join(model.__module__.split(".")[:2])
        ref = f"#/components/schemas/{owner}.{{model}}"
        schema = model.model_json_schema(ref_template=ref, mode="serialization")
        for name, part in schema.pop("$defs", {}).items():
            known = self.schemas.setdefault(f"{owner}.{name}", part)
            assert known == part, f"two models of {owner} are called {name}"
        for name, info in model.model_fields.items():
            meaning = meaning_of(info.annotation, info.metadata)
            if meaning is not None and (shown := schema["properties"].get(info.alias or name)):
                shown["x-data"] = meaning.data_class
                if meaning.sealed:
                    shown["x-sealed"] = True
        return schema


def _event(kind: type[Event], parts: _Parts) -> Object:
    return {
        "name": kind.type,
        "contentType": "application/cloudevents-batch+json",
        "payload": parts.schema(kind),
        "x-version": kind.version,
        "x-public": kind.public,
    }


def _refusal(parts: _Parts) -> Object:
    """What every command and query may be answered instead; the door makes a problem of it."""
    names = ("kind", "code", "detail")
    errors = {"type": "array", "items": parts.schema(FieldProblem)}
    properties = dict.fromkeys(names, TEXT) | {"errors": errors, "extra": {"type": "object"}}
    return {
        "name": REFUSED, "summary": "A refusal; docs/problems.md explains each code.",
        "headers": _headers({FAILED: "the code"}, required=True),
        "payload": {"type": "object", "required": ["kind", "code", "detail"],
                    "properties": properties},
    }  # fmt: skip


def _headers(given: dict[str, str], *, required: bool = False) -> Object:
    made: Object = {
        "type": "object",
        "properties": {name: TEXT | {"description": said} for name, said in given.items()},
    }
    return made | {"required": list(given)} if required else made


def _text_of(model: type[BaseModel]) -> str:
    return f"JSON with who asks and why: {', '.join(model.model_fields)}"
