"""A connector's step: its version, its inputs against the card, its hosts, retry and times."""

import re
from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from libs.language.check_context import Fields, Scope, kind_of
from libs.language.check_known import Card
from libs.language.check_shapes import Fits, Shape
from libs.language.check_values import checked_value
from libs.language.document import STEP_TIMEOUT_S, Retry, UsesStep
from libs.language.scan import OPENING
from libs.language.schema import build_engine, describe
from libs.language.source import Path, pointer_of

USES_KEYS = ("uses", "with", "retry", "timeout", "deadline", "once")
USES_LATER = ("connection", "undo")
CONNECTOR = re.compile(r"([a-z][a-z0-9-]{0,62})@([1-9][0-9]{0,5})")
BARE_CONNECTOR = re.compile(r"[a-z][a-z0-9-]{0,62}@?")
ATTEMPTS_MAX = 100
RETRY_ENTRIES_MAX = 20
RETRY_TYPES = ("timeout", "connection", "rate-limited", "server-error", "client-error")
STATUS_CLASSES = ("4xx", "5xx")
LITERAL_HOST = re.compile(r"https?://(?:[^/?#@\s]*@)?([^/?#@\s]+)(?=[/?#])", re.IGNORECASE)


def uses_step(
    fields: Fields, step_id: str, title: str | None, scope: Scope
) -> tuple[UsesStep | None, Shape]:
    """The step, None if it can't run, and what is known about its result."""
    connector, card = connector_at(fields)
    raw = fields.value.get("with", {})
    value = None
    if isinstance(raw, dict):
        value = checked_value(fields.context, fields.at("with"), raw, scope, secrets=True)
        if card is not None:
            check_inputs(Fields(fields.context, fields.at("with"), raw), card)
        check_host(fields, raw)
    else:
        fields.wrong_type("with", "an object")
    retry = retry_at(fields)
    timeout_s = fields.duration("timeout") or STEP_TIMEOUT_S
    deadline_s = fields.duration("deadline")
    once = fields.boolean("once")
    shape = None if card is None else Fits(card.outputs, card.outputs)
    if connector is None or value is None:
        return None, shape
    name, version = connector
    step = UsesStep(
        step_id,
        title,
        pointer_of(fields.path),
        name,
        version,
        value,
        retry,
        timeout_s,
        deadline_s,
        once,
    )
    return step, shape


def connector_at(fields: Fields) -> tuple[tuple[str, int] | None, Card | None]:
    """Name and version of the connector, and its card if one is known."""
    text = fields.literal("uses")
    if text is None:
        return None, None
    found = CONNECTOR.fullmatch(text)
    cards = fields.context.known.connectors
    path = fields.at("uses")
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


def retry_at(fields: Fields) -> Retry | None:
    """The step's own retry, None if it has none."""
    inner = fields.inner("retry")
    if inner is None:
        return None
    inner.only(("attempts", "backoff", "initial", "max", "on", "then"))
    inner.one_of("then", ("fail",), later=("pause",))
    backoff = inner.one_of("backoff", ("exponential", "fixed"))
    return Retry(
        attempts=inner.integer("attempts", 1, ATTEMPTS_MAX),
        backoff="fixed" if backoff == "fixed" else "exponential" if backoff else None,
        initial_s=inner.duration("initial"),
        max_s=inner.duration("max"),
        on=retry_on(inner) if "on" in inner else None,
    )


def retry_on(fields: Fields) -> tuple[str | int, ...]:
    """Error types, status codes, and classes of them."""
    entries: list[str | int] = []
    for index, entry in enumerate(fields.items("on", RETRY_ENTRIES_MAX)):
        is_status = isinstance(entry, int) and not isinstance(entry, bool) and 400 <= entry <= 599
        if is_status or (isinstance(entry, str) and entry in (*RETRY_TYPES, *STATUS_CLASSES)):
            entries.append(entry)
            continue
        path = (*fields.at("on"), index)
        known = (*RETRY_TYPES, *STATUS_CLASSES)
        found = str(entry) if isinstance(entry, (str, int)) else kind_of(entry)
        if OPENING in found:
            detail = "`on` is literal: it is read when the document is published"
            fields.report.problem(path, "expression-not-here", detail, see="fields", found=found)
            continue
        detail = f"`on` lists {', '.join(known)} and status codes from 400 to 599"
        fields.report.problem(path, "not-one-of", detail, found=found, near=known)
    return tuple(entries)
