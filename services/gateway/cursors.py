"""Cursors: the place that a service gave, bound to the list and filters it was given for."""

import base64
import hmac
from hashlib import sha256

import msgspec

from libs.common.errors import FieldProblem, Malformed
from services.gateway.refusals import CursorMismatch

_MARK = 12
LENGTH_MAX = 800


def mark_of(key: bytes, organization: str, path: str, filters: dict[str, str]) -> bytes:
    """A digest of what a cursor belongs to; `limit`, `cursor` and `expand` may change."""
    kept = sorted((k, v) for k, v in filters.items() if k not in ("limit", "cursor", "expand"))
    return hmac.new(key, msgspec.json.encode([organization, path, kept]), sha256).digest()[:_MARK]


def encode(key: bytes, mark: bytes, place: str) -> str:
    """`mark`, a seal over both, and the place, as text for an address."""
    seal = hmac.new(key, mark + place.encode(), sha256).digest()[:_MARK]
    return base64.urlsafe_b64encode(mark + seal + place.encode()).rstrip(b"=").decode()


def decode(key: bytes, mark: bytes, cursor: str) -> str:
    """The place. Raises CursorMismatch for another list, Malformed for what we never made."""
    try:
        raw = base64.b64decode(
            cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        )
        place = raw[2 * _MARK :].decode()
    except ValueError:
        raise _unreadable() from None
    found, seal = raw[:_MARK], raw[_MARK : 2 * _MARK]
    made = hmac.new(key, found + place.encode(), sha256).digest()[:_MARK]
    if len(cursor) > LENGTH_MAX or not hmac.compare_digest(seal, made):
        raise _unreadable()
    if not hmac.compare_digest(found, mark):
        problem = FieldProblem(
            pointer="?cursor", rule="cursor-mismatch", detail="made for another list or filter"
        )
        raise CursorMismatch("a cursor holds for the filters it was given with", errors=[problem])
    return place


def _unreadable() -> Malformed:
    problem = FieldProblem(pointer="?cursor", rule="cursor", detail="was not made by us")
    return Malformed("this cursor was not made by us", errors=[problem])
