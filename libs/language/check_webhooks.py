"""`webhook`: a trigger by a call of an address; who may call must be said."""

import re
from typing import Any

from libs.language.check_context import Fields, Scope
from libs.language.check_values import checked_value, value_at
from libs.language.document import RESPOND_TIMEOUT_S, Scheme, WebhookTrigger
from libs.language.scan import split_template

HEADERS_MAX = 20
RESPOND_TIMEOUT_MAX_S = 60.0
SCHEMES: tuple[Scheme, ...] = ("standard-webhooks", "github", "stripe", "slack", "token", "none")
WEBHOOK_KEYS = ("path", "verify", "respond", "timeout", "headers", "query", "with")
HOOK_PATH = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
QUERY_KEY = re.compile(r"[A-Za-z0-9_.\[\]-]{1,100}")
# What would be recorded with every execution, and must not be.
HEADERS_REFUSED = frozenset(("authorization", "cookie", "proxy-authorization"))


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
    with_ = value_at(fields, "with", webhook_scope(scope)) if "with" in fields else None
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


def webhook_scope(names: Scope) -> Scope:
    """What a webhook's `with` sees: `input` is the body as it came, before the schema."""
    seen = ("trigger", "workflow", "vars")
    return Scope({"input": None, **{name: names.names[name] for name in seen}})
