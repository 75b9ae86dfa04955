"""The list `on`: what starts a workflow beside a person. Webhooks now, the others later."""

import re
from typing import Any

from libs.language.check_context import STEP_ID, Fields, Scope
from libs.language.check_values import checked_value, value_at
from libs.language.document import RESPOND_TIMEOUT_S, Scheme, WebhookTrigger
from libs.language.scan import split_template

TRIGGERS_MAX = 20
HEADERS_MAX = 20
RESPOND_TIMEOUT_MAX_S = 60.0
TRIGGERS_LATER = ("schedule", "event", "mcp")
SCHEMES: tuple[Scheme, ...] = ("standard-webhooks", "github", "stripe", "slack", "token", "none")
WEBHOOK_KEYS = ("path", "verify", "respond", "timeout", "headers", "query", "with")
HOOK_PATH = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
QUERY_KEY = re.compile(r"[A-Za-z0-9_.\[\]-]{1,100}")
# What would be recorded with every execution, and must not be.
HEADERS_REFUSED = frozenset(("authorization", "cookie", "proxy-authorization"))


def triggers_at(fields: Fields, scope: Scope) -> tuple[WebhookTrigger, ...]:
    """The triggers of a document; ids and paths once each."""
    triggers: list[WebhookTrigger] = []
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
        for key, name in (("id", trigger.id), ("path", trigger.path)):
            if name is not None and (key, name) in taken:
                rule = "id-taken" if key == "id" else "path-taken"
                detail = f"another trigger of this document has the {key} {name!r}"
                fields.report.problem(path, rule, detail, see="triggers", found=name)
            taken.add((key, name or ""))
        triggers.append(trigger)
    return tuple(triggers)


def trigger_at(fields: Fields, scope: Scope) -> WebhookTrigger | None:
    """One trigger, None if it can't be used."""
    fields.only(("id", "webhook"), later=TRIGGERS_LATER)
    form = "a to z, 0 to 9 and _, beginning with a letter, at most 40 characters"
    trigger_id = fields.matching("id", STEP_ID, "bad-id", form)
    kinds = [kind for kind in ("webhook", *TRIGGERS_LATER) if kind in fields]
    if len(kinds) != 1:
        detail = "a trigger has exactly one of webhook, schedule, event, mcp"
        fields.report.problem(fields.path, "one-kind", detail, see="triggers")
        return None
    webhook = fields.inner("webhook")
    return None if webhook is None else webhook_at(webhook, trigger_id, scope)


def webhook_at(fields: Fields, trigger_id: str | None, scope: Scope) -> WebhookTrigger | None:
    """`webhook: {path, verify, respond, timeout, headers, query, with}`."""
    fields.only(WEBHOOK_KEYS)
    path = None
    if "path" in fields:
        form = "small letters, digits, - and _, at most 63 of them, without /"
        path = fields.matching("path", HOOK_PATH, "bad-path", form)
    else:
        fields.missing("path", "the last part of the address that is called")
    verify = verify_at(fields)
    respond = fields.one_of("respond", ("accepted", "result")) or "accepted"
    timeout_s = fields.duration("timeout")
    if timeout_s is not None and respond == "accepted":
        detail = "`timeout` is how long `respond: result` waits; without that it means nothing"
        fields.report.problem(fields.at("timeout"), "timeout-without-result", detail)
    if timeout_s is not None and timeout_s > RESPOND_TIMEOUT_MAX_S:
        detail = "a caller waits at most 60s; the execution goes on without it"
        fields.report.problem(fields.at("timeout"), "out-of-range", detail)
    headers = tuple(name.lower() for name in names_at(fields, "headers", HEADER))
    for name in HEADERS_REFUSED.intersection(headers):
        detail = f"the header {name!r} holds a credential; it is never recorded"
        fields.report.problem(fields.at("headers"), "header-not-allowed", detail, found=name)
    query = names_at(fields, "query", QUERY_KEY)
    with_ = value_at(fields, "with", scope) if "with" in fields else None
    if path is None or verify is None:
        return None
    scheme, secret, header = verify
    return WebhookTrigger(
        id=trigger_id,
        path=path,
        scheme=scheme,
        secret=secret,
        header=header,
        respond="result" if respond == "result" else "accepted",
        timeout_s=timeout_s or RESPOND_TIMEOUT_S,
        headers=headers,
        query=query,
        with_=with_,
    )


def verify_at(fields: Fields) -> tuple[Scheme, str | None, str | None] | None:
    """Scheme, name of the secret, header; who calls must be said, `none` included."""
    if "verify" not in fields:
        detail = "say how callers prove who they are; `verify: {scheme: none}` lets anybody in"
        fields.report.problem(fields.path, "verify-missing", detail, see="triggers")
        return None
    inner = fields.inner("verify")
    if inner is None:
        return None
    inner.only(("scheme", "secret", "header"))
    if "scheme" not in inner:
        inner.missing("scheme", f"one of {', '.join(SCHEMES)}")
        return None
    found = inner.one_of("scheme", SCHEMES)
    scheme: Scheme | None = next((known for known in SCHEMES if known == found), None)
    if scheme is None:
        return None
    form = "the name of a header"
    header = inner.matching("header", HEADER, "bad-header", form)
    if header is not None and scheme != "token":
        detail = f"`header` is for the scheme token; {scheme} has its own headers"
        fields.report.problem(inner.at("header"), "unknown-key", detail, see="triggers")
    if scheme == "none":
        if "secret" in inner:
            detail = "the scheme none checks nothing, so it has no secret"
            fields.report.problem(inner.at("secret"), "unknown-key", detail, see="triggers")
        detail = "anybody who knows this address can start the workflow"
        fields.report.warning(inner.path, "verify-none", detail, see="triggers")
        return scheme, None, None
    secret = secret_at(inner)
    if secret is None:
        return None
    return scheme, secret, header.lower() if header else None


def secret_at(fields: Fields) -> str | None:
    """The name in `secret: ${{ secret.name }}`."""
    if "secret" not in fields:
        fields.missing("secret", "${{ secret.name }}, the secret that the calls are signed with")
        return None
    raw = fields.value["secret"]
    problems = len(fields.report.problems)
    value = checked_value(fields.context, fields.at("secret"), raw, Scope({}), secrets=True)
    names = [] if value is None else [each.secret for _, each in value.expressions]
    if len(names) == 1 and names[0] is not None and is_one_expression(raw):
        return names[0]
    if len(fields.report.problems) == problems:
        detail = (
            "`secret` names a secret, ${{ secret.name }}; the value itself is never written here"
        )
        fields.report.problem(fields.at("secret"), "secret-expected", detail, see="secrets")
    return None


def is_one_expression(raw: Any) -> bool:
    """Whether a value that compiled is nothing but one expression."""
    return isinstance(raw, str) and len(split_template(raw.strip())) == 1


def names_at(fields: Fields, key: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
    """A list of literal names."""
    names: list[str] = []
    for index, entry in enumerate(fields.items(key, HEADERS_MAX)):
        if isinstance(entry, str) and pattern.fullmatch(entry):
            names.append(entry)
        else:
            detail = f"`{key}` lists names"
            found = entry if isinstance(entry, str) else None
            fields.report.problem((*fields.at(key), index), "bad-name", detail, found=found)
    return tuple(names)


def trigger_scope(names: Scope) -> Scope:
    """What a webhook's `with` sees: `input` is the body as it came, before the schema."""
    seen = ("trigger", "workflow", "vars")
    return Scope({"input": None, **{name: names.names[name] for name in seen}})
