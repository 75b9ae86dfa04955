"""An entry and its leaf: fields, salts, commitments and the canonical bytes they give."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

FIELDS: tuple[str, ...] = (
    "id", "type", "time", "producer", "number", "actor", "resource", "version", "outcome",
    "address", "agent", "request", "data",
)  # fmt: skip
CLASSES: tuple[str, ...] = (
    "authentication", "api-usage", "execution", "integration", "error", "administration",
    "billing", "privacy", "platform", "transport", "expired", "other",
)  # fmt: skip
EXPIRED = "expired"
NO_VALUES: tuple[None, ...] = (None,) * len(FIELDS)
DATA_BYTES_MAX = 4096
SECRET_BYTES = 32

_sha256 = hashlib.sha256
_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def lp(text: bytes) -> bytes:
    """With its length in four bytes before it."""
    return len(text).to_bytes(4, "big") + text


_NAMES = tuple(lp(name.encode()) for name in FIELDS)
_SALTED = tuple(b"troth/audit/salt/v1" + name for name in _NAMES)
_COMMITTED = tuple(b"troth/audit/field/v1" + name for name in _NAMES)
_BODY = b"troth/audit/body/v1" + len(FIELDS).to_bytes(2, "big")
_ENTRY = b"\x00troth/audit/entry/v1"
_CLASSES = {name: lp(name.encode()) for name in CLASSES}


def new_secret() -> bytes:
    """What an entry's salts come from; kept in its sealed detail and nowhere else."""
    return secrets.token_bytes(SECRET_BYTES)


def salts(secret: bytes) -> list[bytes]:
    """One salt per field, in the order of FIELDS."""
    inner, outer = _keyed(secret)
    found = []
    for name in _SALTED:
        within, around = inner.copy(), outer.copy()
        within.update(name)
        around.update(within.digest())
        found.append(around.digest())
    return found


def _keyed(secret: bytes) -> "tuple[hashlib._Hash, hashlib._Hash]":
    """HMAC-SHA-256 written out: its two keyed states are made once for all fields."""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"an entry's secret has {SECRET_BYTES} bytes, not {len(secret)}")
    key = secret.ljust(_BLOCK, b"\x00")
    return _sha256(key.translate(_INNER)), _sha256(key.translate(_OUTER))


def commitment(name: str, salt: bytes, value: str | None) -> bytes:
    """What the entry says of one field; opened by value and salt."""
    return _committed(_COMMITTED[FIELDS.index(name)], salt, value)


def commitments(secret: bytes, values: Sequence[str | None]) -> list[bytes]:
    """Those of all fields, in the order of FIELDS: one loop, for every entry goes through it."""
    inner, outer = _keyed(secret)
    found = []
    for salted, committed, value in zip(_SALTED, _COMMITTED, values, strict=True):
        within, around = inner.copy(), outer.copy()
        within.update(salted)
        around.update(within.digest())
        text = b"\x00" if value is None else b"\x01" + value.encode()
        found.append(_sha256(committed + around.digest() + text).digest())
    return found


def _committed(name: bytes, salt: bytes, value: str | None) -> bytes:
    text = b"\x00" if value is None else b"\x01" + value.encode()
    return _sha256(name + salt + text).digest()


def body(secret: bytes, values: Sequence[str | None]) -> bytes:
    """The hash of all commitments, in the order of FIELDS; kept for ever beside the leaf."""
    return body_of(commitments(secret, values))


def body_of(committed: Sequence[bytes]) -> bytes:
    parts = [_BODY]
    for name, commitment in zip(_NAMES, committed, strict=True):
        parts.append(name)
        parts.append(commitment)
    return _sha256(b"".join(parts)).digest()


def leaf(trail: str, seq: int, day: int, class_: str, body: bytes) -> bytes:
    """The hash that the tree holds; OverflowError or KeyError for a number or class it has not."""
    return _sha256(
        _ENTRY + lp(trail.encode()) + seq.to_bytes(8, "big") + day.to_bytes(4, "big")
        + _CLASSES[class_] + body
    ).digest()  # fmt: skip


def time_of(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as an entry's `time` is written."""
    in_utc = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return in_utc.removesuffix("+00:00") + "Z"


def day_of(moment: datetime) -> int:
    """Days since 1970-01-01 in UTC."""
    return int(moment.timestamp() // 86_400)
