"""Refusals as RFC 9457 problems: one status per kind, one shape for all."""

import difflib
from collections.abc import Iterable
from typing import Any

import msgspec
from pydantic import ValidationError

from libs.common.errors import DomainError, FieldProblem

STATUS = {
    "malformed": 400, "not-signed-in": 401, "payment-needed": 402, "forbidden": 403,
    "not-found": 404, "method-not-allowed": 405, "not-acceptable": 406, "conflict": 409,
    "stale": 412, "too-large": 413, "media-type-unsupported": 415, "range-not-satisfiable": 416,
    "rejected": 422,
    "precondition-required": 428, "too-many": 429, "headers-too-large": 431, "internal": 500,
    "unavailable": 503,
}  # fmt: skip
MEDIA_TYPE = b"application/problem+json"
ERRORS_MAX = 50
_OURS = frozenset(
    (
        "type",
        "title",
        "status",
        "code",
        "detail",
        "request_id",
        "errors",
        "more",
        "retry_after_s",
        "allow",
    )
)


def status_of(error: DomainError) -> int:
    return STATUS.get(error.kind, 500)


def title_of(code: str) -> str:
    return code.replace("-", " ").capitalize()


def render(error: DomainError, request_id: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of the answer. What is `internal` shows the request id only."""
    status = status_of(error)
    hidden = error.code == "internal"
    body: dict[str, Any] = {
        "type": f"/problems/{error.code}",
        "title": title_of(error.code),
        "status": status,
        "code": error.code,
        "detail": "something went wrong here; it was logged" if hidden else error.detail,
        "request_id": request_id,
    }
    if not hidden:
        body |= {k: v for k, v in error.extra.items() if k not in _OURS}
        if error.errors:
            shown = error.errors[:ERRORS_MAX]
            body["errors"] = [problem.model_dump(exclude_none=True) for problem in shown]
            if len(error.errors) > ERRORS_MAX or error.extra.get("more"):
                body["more"] = True
    return status, _headers(error, status), msgspec.json.encode(body)


def _headers(error: DomainError, status: int) -> list[tuple[bytes, bytes]]:
    headers = [(b"content-type", MEDIA_TYPE)]
    if status == 401 and error.code != "signature-invalid":
        tail = b', error="invalid_token"' if error.code == "credential-invalid" else b""
        headers.append((b"www-authenticate", b'Bearer realm="troth"' + tail))
    elif status == 401:
        headers.append((b"www-authenticate", b'Signature realm="hooks"'))
    if status in (429, 503) or error.code == "idempotency-key-in-use":
        after = error.extra.get("retry_after_s") or (2 if status == 503 else 1)
        headers.append((b"retry-after", str(int(after)).encode()))
    return headers


def fields_of(
    error: ValidationError, known: Iterable[str], at: str = "/", names: dict[str, str] | None = None
) -> list[FieldProblem]:
    """What a model refused, with pointers (`at` is `/` for bodies, `?` for parameters).

    `names` gives the outer name of a field that is called otherwise inside.
    """
    found, names, known = [], names or {}, list(known)
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        place = [str(part) for part in item["loc"] if not _branch(part)]
        if place:
            place[0] = names.get(place[0], place[0])
        rule = item["type"].replace("_", "-")
        near, detail = None, item["msg"]
        if item["type"] == "extra_forbidden":
            rule, detail = "unknown-field", "nobody knows this field"
            near = did_you_mean(place[-1], known) if len(place) == 1 else None
        pointer = "?" + place[0] if at == "?" and place else "/" + "/".join(map(_escaped, place))
        found.append(FieldProblem(pointer=pointer, rule=rule, detail=detail, did_you_mean=near))
    return found


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, list(known), 1, 0.6)), None)


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _branch(part: str | int) -> bool:
    """Pydantic names the branch of a union or a constraint in the place; callers know no such."""
    return isinstance(part, str) and ("[" in part or part in ("str", "int", "float", "bool"))
