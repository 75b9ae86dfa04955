"""The OpenAPI document, made from what the routes say about themselves."""

import inspect
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from libs.common.lists import Page
from libs.common.process import VERSION
from services.gateway.access import PUBLIC, WITHOUT_ORGANIZATION
from services.gateway.bodies import JSON
from services.gateway.catalogue import CATALOGUE, EVERYWHERE
from services.gateway.parameters import Parameters, takes_many
from services.gateway.routing import Known

REF = "#/components/schemas/{model}"
PROBLEM_REF = {"$ref": REF.format(model="Problem")}
Schema = dict[str, Any]


def document(known: Iterable[Known]) -> Schema:
    """OpenAPI 3.1 of all routes but the pages for people."""
    routes = [each for each in known if not each.facts.public_page]
    schemas, shared = _schemas(routes)
    paths: dict[str, Schema] = {}
    for each in sorted(routes, key=lambda r: (r.route.path, r.method)):
        paths.setdefault(each.route.path, {})[each.method.lower()] = _operation(each, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Troth", "version": VERSION,
            "description": "Workflow automation that keeps its word. Errors are RFC 9457"
            " problems; see /problems for each code. Lists are paged by opaque cursors.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": shared | {"Problem": PROBLEM, "FieldProblem": FIELD_PROBLEM},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "__Host-troth"},
            },
        },
    }  # fmt: skip


def _schemas(routes: list[Known]) -> tuple[dict[Any, Schema], Schema]:
    """The schema of each model by model and direction, and the shared definitions."""
    wanted: list[Any] = []
    for each in routes:
        answers = each.facts.answers
        wanted += [
            (_thing(model), "serialization")
            for model in (answers, each.facts.later and each.facts.later[1])
            if isinstance(model, type)
        ]
        if each.body:
            wanted.append((each.body.model, "validation"))
    made, definitions = models_json_schema(list(dict.fromkeys(wanted)), ref_template=REF)
    return dict(made), definitions.get("$defs", {})


def _thing(model: Any) -> Any:
    """What a list is a list of."""
    if isinstance(model, type) and issubclass(model, Page):
        return model.__pydantic_generic_metadata__["args"][0]
    return model


def _operation(each: Known, schemas: dict[Any, Schema]) -> Schema:
    facts = each.facts
    operation: Schema = {
        "operationId": each.operation, "tags": [facts.tag],
        "summary": (inspect.getdoc(each.route.endpoint) or "").strip(),
        "x-permission": each.permission,
        "parameters": [*_from_path(each), *_from_query(each), *_headers(each)],
        "responses": _responses(each, schemas),
    }  # fmt: skip
    if each.permission != PUBLIC:
        operation["security"] = [{"bearer": []}, {"cookie": []}]
    body = _body(each, schemas)
    if body:
        operation["requestBody"] = body
    return operation


def _from_path(each: Known) -> list[Schema]:
    names = re.findall(r"\{([a-z_]+)\}", each.route.path)
    return [
        {"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names
    ]


def _from_query(each: Known) -> list[Schema]:
    if each.parameters is None:
        return []
    found = [_parameter(each.parameters, outer, inner)
             for outer, inner in each.parameters.names.items()]  # fmt: skip
    if each.parameters.lists:
        found.append(_optional("cursor", "query", "`next_cursor` of the page before"))
    if each.parameters.expand:
        names = {"type": "string", "enum": list(each.parameters.expand)}
        found.append({"name": "expand", "in": "query", "explode": False,
                      "schema": {"type": "array", "items": names}})  # fmt: skip
    return found


def _parameter(parameters: Parameters, outer: str, inner: str) -> Schema:
    info = parameters.model.model_fields[inner]
    schema = TypeAdapter(_annotated(info)).json_schema()
    if "anyOf" in schema:
        real = [option for option in schema["anyOf"] if option != {"type": "null"}]
        rest = {k: v for k, v in schema.items() if k != "anyOf"}
        schema = rest | real[0] if len(real) == 1 else schema
    if info.default is not None and not info.is_required() and info.default_factory is None:
        schema["default"] = info.default
    made: Schema = {"name": outer, "in": "query", "schema": schema}
    if takes_many(info.annotation):
        made["explode"] = False
    if info.is_required():
        made["required"] = True
    return made


def _annotated(info: Any) -> Any:
    from typing import Annotated

    return Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation


def _headers(each: Known) -> list[Schema]:
    found: list[Schema] = []
    if each.permission not in WITHOUT_ORGANIZATION:
        found.append(_optional("Troth-Organization", "header", "id or name of the organization"))
    if each.method == "POST":
        found.append(_optional("Idempotency-Key", "header", "makes sending it again safe"))
    if each.facts.matches:
        required = _optional("If-Match", "header", "the ETag that was read")
        found.append(required if each.facts.creates else required | {"required": True})
    if each.facts.creates:
        found.append(_optional("If-None-Match", "header", "`*` creates"))
    if each.facts.versioned:
        found.append(_optional("If-None-Match", "header", "304 when it is still this ETag"))
    if each.facts.streams:
        found.append(_optional("Last-Event-ID", "header", "goes on behind this event"))
    if each.facts.waits:
        found.append(_optional("Prefer", "header", "`wait=10`: seconds to wait, at most 60"))
    return found


def _optional(name: str, place: str, description: str) -> Schema:
    return {"name": name, "in": place, "schema": {"type": "string"}, "description": description}


def _body(each: Known, schemas: dict[Any, Schema]) -> Schema | None:
    if each.facts.limit_bytes is not None:
        raw = {"schema": {"type": "string", "format": "binary"}}
        return {"required": True, "content": dict.fromkeys(each.facts.documents, raw)}
    if each.facts.documents:
        text = {"schema": {"type": "string", "description": "a workflow document"}}
        return {"required": True, "content": dict.fromkeys(each.facts.documents, text)}
    if each.body is None:
        return None
    schema = schemas[each.body.model, "validation"]
    return {"required": not each.body.optional, "content": {each.body.media: {"schema": schema}}}


def _responses(each: Known, schemas: dict[Any, Schema]) -> Schema:
    facts, found = each.facts, {}
    found[str(facts.status)] = _answer(each, schemas)
    if facts.later:
        found[str(facts.later[0])] = _answer(each, schemas, facts.later[1])
    if facts.creates:
        found["201"] = _answer(each, schemas)
    if facts.versioned:
        found["304"] = {"description": "It is still the version you have"}
    for status, codes in sorted(_problems(each).items()):
        found[str(status)] = {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(codes)}", "x-codes": codes,
            "content": {"application/problem+json": {"schema": PROBLEM_REF}},
        }  # fmt: skip
    return found


def _answer(each: Known, schemas: dict[Any, Schema], other: Any = None) -> Schema:
    """Of the route's own model, or of `other` for another status."""
    answers, description = other or each.facts.answers, HTTPStatus(each.facts.status).phrase
    if answers is None:
        return {"description": description}
    if isinstance(answers, str):
        text = {"schema": {"type": "string"}}
        return {"description": description,
                "content": dict.fromkeys(each.facts.produces, text)}  # fmt: skip
    schema: Schema = {}
    if isinstance(answers, type):
        schema = schemas[_thing(answers), "serialization"]
        if issubclass(answers, Page):
            schema = {
                "type": "object", "required": ["data", "next_cursor"],
                "properties": {"data": {"type": "array", "items": schema},
                               "next_cursor": {"type": ["string", "null"]}},
            }  # fmt: skip
    others = [kind for kind in each.facts.produces if kind != JSON]
    text = {"schema": {"type": "string"}}
    content = {JSON: {"schema": schema}} | dict.fromkeys(others, text)
    return {"description": description, "content": content}


def _problems(each: Known) -> dict[int, list[str]]:
    """The codes that this route may answer, by status."""
    codes = [*EVERYWHERE, *each.facts.refuses]
    if each.permission != PUBLIC:
        codes += ["not-signed-in", "credential-invalid"]
    if each.permission not in (PUBLIC, "signed-in", "self"):
        codes += ["permission-missing"]
    if each.permission not in WITHOUT_ORGANIZATION:
        codes += ["organization-required"]
    if "{" in each.route.path:
        codes += ["not-found"]
    if each.method != "GET":
        codes += ["cross-site-refused", "body-too-large", "malformed-json",
                  "media-type-unsupported", "invalid-input"]  # fmt: skip
    if each.method == "POST":
        codes += ["idempotency-key-in-use", "idempotency-key-reused"]
    if each.facts.matches:
        codes += ["changed-meanwhile", "precondition-required"]
    if each.parameters is not None and each.parameters.lists:
        codes += ["cursor-mismatch"]
    found: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        found.setdefault(CATALOGUE[code].status, []).append(code)
    return found


_TEXT: Schema = {"type": "string"}
FIELD_PROBLEM: Schema = {
    "type": "object", "required": ["pointer", "rule", "detail"],
    "properties": {"pointer": _TEXT, "rule": _TEXT, "detail": _TEXT, "found": _TEXT,
                   "did_you_mean": _TEXT, "see": _TEXT, "line": {"type": "integer"},
                   "column": {"type": "integer"}},
}  # fmt: skip
PROBLEM: Schema = {
    "type": "object", "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": _TEXT, "title": _TEXT, "status": {"type": "integer"},
        "code": {"type": "string", "enum": sorted(CATALOGUE)}, "detail": _TEXT,
        "request_id": _TEXT, "more": {"type": "boolean"},
        "errors": {"type": "array", "items": {"$ref": REF.format(model="FieldProblem")}},
    },
}  # fmt: skip


def for_viewers(schema: Any) -> Any:
    """The document in OpenAPI 3.0's words: the viewer that we ship reads no 3.1."""
    if isinstance(schema, list):
        return [for_viewers(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: for_viewers(value) for key, value in schema.items()}
    if made.get("openapi") == "3.1.0":
        made["openapi"] = "3.0.3"
    if "const" in made:
        made["enum"] = [made.pop("const")]
    if isinstance(made.get("type"), list):
        kinds = [kind for kind in made["type"] if kind != "null"]
        made |= {"type": kinds[0], "nullable": True}
    options = made.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        real = [option for option in options if option != {"type": "null"}]
        del made["anyOf"]
        made |= {"nullable": True} | (real[0] if len(real) == 1 else {"anyOf": real})
    return made
