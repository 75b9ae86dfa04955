"""A connector's step: its version, its inputs against the card, its hosts, times and undo."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from libs.language.check_context import Fields, Made, Scope, kind_of
from libs.language.check_known import Card
from libs.language.check_retry import retry_at, undo_retry
from libs.language.check_shapes import Fits, Shape
from libs.language.check_values import checked_value
from libs.language.scan import OPENING
from libs.language.schema import build_engine, describe
from libs.language.source import Path, pointer_of
from libs.language.steps import STEP_TIMEOUT_S, Retry, Undo, UsesStep
from libs.language.templates import Value

USES_KEYS = ("uses", "with", "retry", "timeout", "deadline", "once", "undo")
USES_LATER = ("connection",)
UNDO_KEYS = ("uses", "with", "retry", "timeout")
CONNECTOR = re.compile(r"([a-z][a-z0-9-]{0,62})@([1-9][0-9]{0,5})")
BARE_CONNECTOR = re.compile(r"[a-z][a-z0-9-]{0,62}@?")
LITERAL_HOST = re.compile(r"https?://(?:[^/?#@\s]*@)?([^/?#@\s]+)(?=[/?#])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Call:
    """A connector and what it gets."""

    connector: str
    version: int
    with_: Value


def uses_step(fields: Fields, step_id: str, title: str | None, scope: Scope, depth: int) -> Made:
    """`uses: name@version`: a connector, and how its effect is undone."""
    fields.only(("id", "title", *USES_KEYS), later=USES_LATER)
    call, shape = call_at(fields, scope)
    retry = retry_at(fields)
    timeout_s = fields.duration("timeout") or STEP_TIMEOUT_S
    deadline_s = fields.duration("deadline")
    once = fields.boolean("once")
    undo = None
    if "undo" in fields:
        seen = scope.plus(step_id, shape) if step_id else scope
        undo = undo_at(fields, seen, retry, timeout_s)
    if call is None:
        return Made(None, shape)
    step = UsesStep(
        step_id,
        title,
        pointer_of(fields.path),
        call.connector,
        call.version,
        call.with_,
        retry,
        timeout_s,
        deadline_s,
        once,
        undo,
    )
    return Made(step, shape)


def undo_at(fields: Fields, scope: Scope, retry: Retry | None, timeout_s: float) -> Undo | None:
    """`undo: {uses, with}`: it sees what its step saw, and the step's result under its id."""
    inner = fields.inner("undo")
    if inner is None:
        return None
    inner.only(UNDO_KEYS, later=USES_LATER)
    if "uses" not in inner:
        inner.missing("uses", "the connector that reverses the effect")
    call, _ = call_at(inner, scope)
    own_retry = undo_retry(inner, retry)
    own_timeout_s = inner.duration("timeout") or timeout_s
    if call is None:
        return None
    return Undo(call.connector, call.version, call.with_, own_retry, own_timeout_s)


def call_at(
    fields: Fields, scope: Scope, *, seen_as: str | None = None
) -> tuple[Call | None, Shape]:
    """`uses` and `with`, None if they can't be used, and what is known about the answer.

    With `seen_as` the last answer has that name in `with`.
    """
    connector, card = connector_at(fields)
    shape = None if card is None else Fits(card.outputs, card.outputs)
    seen = scope.plus(seen_as, shape) if seen_as else scope
    raw = fields.value.get("with", {})
    value = None
    if isinstance(raw, dict):
        value = checked_value(fields.context, fields.at("with"), raw, seen, secrets=True)
        if card is not None:
            check_inputs(Fields(fields.context, fields.at("with"), raw), card)
        check_host(fields, raw)
    else:
        fields.wrong_type("with", "an object")
    if connector is None or value is None:
        return None, shape
    return Call(*connector, value), shape


def connector_at(fields: Fields) -> tuple[tuple[str, int] | None, Card | None]:
    """Name and version of the connector, and its card if one is known."""
    text = fields.literal("uses")
    return (None, None) if text is None else connector_named(fields, fields.at("uses"), text)


def connector_named(
    fields: Fields, path: Path, text: str
) -> tuple[tuple[str, int] | None, Card | None]:
    """What `http-request@1` names."""
    found = CONNECTOR.fullmatch(text)
    cards = fields.context.known.connectors
    if found is None:
        if BARE_CONNECTOR.fullmatch(text):
            bare = text.rstrip("@")
            detail = f"a connector is named with its version, such as {bare}@1"
            fields.report.problem(path, "version-missing", detail, found=text, mean=f"{bare}@1")
        else:
            detail = "`uses` names a connector and its version, such as http-request@1"
            fields.report.problem(path, "bad-connector", detail, found=text)
        return None, None
    fields.context.connectors[text] = None
    if cards is not None and text not in cards:
        detail = f"there is no connector {text!r}; known are {', '.join(sorted(cards))}"
        fields.report.problem(path, "unknown-connector", detail, found=text, near=sorted(cards))
    return (found[1], int(found[2])), (cards or {}).get(text)


def check_inputs(fields: Fields, card: Card) -> None:
    """Keys of `with` against the card, and the values that hold no expression."""
    properties: Mapping[str, Any] = card.inputs.get("properties", {})
    if card.inputs.get("additionalProperties") is False:
        fields.only([*properties, *(key for key in fields.value if OPENING in key)])
    for key in card.inputs.get("required", ()):
        if key not in fields:
            fields.missing(key, f"{card.name} needs it")
    for key, schema in properties.items():
        if key in fields and not has_opening(fields.value[key]):
            check_constant(fields, key, card, schema)


def check_constant(fields: Fields, key: str, card: Card, schema: Any) -> None:
    """A value without expressions fits the card's schema now or never."""
    engines = fields.context.engines
    if (card.name, key) not in engines:
        own = {"allOf": [schema], "$defs": card.inputs.get("$defs", {})}
        engines[card.name, key] = build_engine(own)
    try:
        engines[card.name, key].validate(fields.value[key])
    except jsonschema_rs.ValidationError as error:
        kind: Any = error.kind
        path: Path = (*fields.at(key), *error.instance_path)
        detail = f"`{key}` of {card.name} {describe(str(kind.name), kind)}"
        value = fields.value[key]
        found = value if isinstance(value, str) else kind_of(value)
        near = [option for option in getattr(kind, "options", ()) if isinstance(option, str)]
        fields.report.problem(path, "input-invalid", detail, found=found, near=near)


def has_opening(value: Any) -> bool:
    """Whether a text in a value may hold an expression."""
    if isinstance(value, str):
        return OPENING in value
    if isinstance(value, dict):
        return any(map(has_opening, value.values()))
    return isinstance(value, list) and any(map(has_opening, value))


def check_host(fields: Fields, raw: Mapping[str, Any]) -> None:
    """Note a host that is written out; it must be in `egress` if the document has one."""
    url = raw.get("url")
    if not isinstance(url, str):
        return
    before, opening, _ = url.partition(OPENING)
    found = LITERAL_HOST.match(before if opening else f"{before}/")
    if found is None:
        return
    host = found[1].lower()
    fields.context.hosts[host] = None
    egress = fields.context.egress
    if egress is not None and not in_egress(host, egress):
        detail = f"`egress` does not name {host}; nothing else can be reached"
        path = (*fields.at("with"), "url")
        fields.report.problem(path, "host-not-in-egress", detail, found=host, near=egress)


def in_egress(host: str, egress: tuple[str, ...]) -> bool:
    """Whether a host, perhaps with its port, is in the list; an entry without port allows each."""
    bare = host.rpartition(":")[0] if re.search(r":[0-9]+$", host) else host
    return host in egress or bare in egress
