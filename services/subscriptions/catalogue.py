"""The public types of events, each with the schema of its data and an example, from its class."""

import inspect
import re
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from libs.common import ids
from libs.common.fields import meaning_of
from libs.common.messages import Event, Json
from libs.common.pages import Page
from libs.common.shapes import model_in, public_types, shape_of
from services.subscriptions.contract import EventTypeShown, FindEventTypes

ORGANIZATION, PERSON = ids.derived("org", "example"), ids.derived("per", "example")
TIME = "2026-12-01T09:00:00.000Z"
SUBJECTS = {"workflows": "wf", "executor": "exe", "subscriptions": "sub"}
ID_PATTERN = re.compile(r"\^([a-z]+)_\[")
TEXTS = {
    "organization id": ORGANIZATION, "who acted": PERSON, "host name": "api.example.com",
    "event id": ids.derived("evt", "example"), "keyed digest": "0" * 64, "time": TIME,
    "media type": "text/csv",
    "day in UTC": "2026-12-01", "pointer into a document": "/input/amount",
    "place of a step in a document": "post", "path of a hook, from a document": "orders",
}  # fmt: skip


def find_event_types(query: FindEventTypes) -> Page[EventTypeShown]:
    kinds = list(public_types().values())
    if query.order == "desc":
        kinds.reverse()
    if query.after is not None:
        later = str.__gt__ if query.order == "asc" else str.__lt__
        kinds = [kind for kind in kinds if later(kind.type, query.after)]
    more = kinds[query.limit - 1].type if len(kinds) > query.limit else None
    return Page(data=[show(kind) for kind in kinds[: query.limit]], next=more)


@cache
def show(kind: type[Event]) -> EventTypeShown:
    name = kind.type.rpartition(".")[2].replace("-", " ")
    said = inspect.cleandoc(kind.__doc__) if "__doc__" in vars(kind) and kind.__doc__ else None
    return EventTypeShown(
        type=kind.type, version=kind.version, description=said or f"{name.capitalize()}.",
        json_schema=schema_of(kind), example=example_event(kind),
    )  # fmt: skip


def schema_of(kind: type[Event]) -> Json:
    """JSON Schema of the public data; more fields may come, so none is forbidden."""
    schema = kind.model_json_schema()
    models = _models(kind)
    schema["$defs"] = {
        name: _open(part, models[name]) if name in models else part
        for name, part in schema.get("$defs", {}).items()
    }
    schema = _open(schema, kind)
    return schema if schema["$defs"] else {k: v for k, v in schema.items() if k != "$defs"}


def _open(schema: Json, model: type[BaseModel]) -> Json:
    """The schema of one model without the fields that customers don't see."""
    public = shape_of(model)
    kept = {k: v for k, v in schema.items() if k not in ("additionalProperties", "description")}
    kept["properties"] = {k: v for k, v in schema.get("properties", {}).items() if k in public}
    kept["required"] = [name for name in schema.get("required", []) if name in public]
    return kept


def _models(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    found: dict[str, type[BaseModel]] = {}
    for info in model.model_fields.values():
        if (below := model_in(info.annotation)) is not None:
            found |= {below.__name__: below} | _models(below)
    return found


def example_event(kind: type[Event]) -> Json:
    service = kind.type.partition(".")[0]
    prefix = SUBJECTS.get(service)
    return {
        "specversion": "1.0", "id": ids.derived("evt", kind.type), "type": kind.type,
        "source": f"/services/{service}",
        "subject": ids.derived(prefix, "example") if prefix else ORGANIZATION,
        "time": TIME, "datacontenttype": "application/json",
        "dataschema": f"/schemas/{kind.type}/{kind.version}", "organization": ORGANIZATION,
        "streamversion": 1, "requestid": ids.derived("req", "example"), "actor": PERSON,
        "data": example_data(kind),
    }  # fmt: skip


def example_data(model: type[BaseModel]) -> Json:
    return {
        name: _example(model.model_fields[name].annotation, model.model_fields[name].metadata)
        for name in shape_of(model)
    }


def _example(annotation: Any, metadata: list[Any] | tuple[Any, ...] = ()) -> Json:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return _example(arguments[0], (*metadata, *annotation.__metadata__))
    if origin is Literal:
        return arguments[0]
    if origin is list:
        return [_example(arguments[0])]
    if origin is dict:
        return {_example(arguments[0]): _example(arguments[1])}
    if arguments:
        return _example(next(a for a in arguments if a is not type(None)), metadata)
    return _single(annotation, metadata)


def _single(kind: Any, metadata: list[Any] | tuple[Any, ...]) -> Json:
    if issubclass(kind, BaseModel):
        return example_data(kind)
    if issubclass(kind, StrEnum):
        return next(iter(kind)).value
    if issubclass(kind, datetime):
        return TIME
    if kind in (bool, int, float):
        return kind(1)
    meaning = meaning_of(kind, metadata)
    found = ID_PATTERN.search(repr(metadata))
    if found:
        return ids.derived(found[1], "example")
    return TEXTS.get(meaning.category if meaning else "", "example")
