"""Identifiers: time-ordered UUIDs, public ids with a prefix, and ids derived from a name."""

import hashlib
import os
import uuid

from libs.common import clock

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
PREFIXES = frozenset(
    [
        "org",
        "per",
        "ses",
        "key",
        "wf",
        "exe",
        "call",
        "sub",
        "del",
        "evt",
        "apv",
        "rev",
        "op",
        "file",
        "req",
        "rcp",
        "inc",
        "ctl",
        "ntf",
        "tim",
        "inv",
        "lnk",
        "siem",
        "hold",
    ]
)


def uuid7() -> uuid.UUID:
    """A UUID version 7: 48 bits of milliseconds, then random bits."""
    ms = clock.milliseconds()
    value = (ms << 80) | int.from_bytes(os.urandom(10))
    value = (value & ~(0xF << 76)) | (7 << 76)
    value = (value & ~(0x3 << 62)) | (2 << 62)
    return uuid.UUID(int=value)


def public(prefix: str, value: uuid.UUID) -> str:
    """`evt` and a UUID become `evt_` and 26 characters of Crockford's base 32."""
    number = value.int
    text = "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])
    return f"{prefix}_{text}"


def private(public_id: str) -> uuid.UUID:
    """The UUID inside a public id; ValueError when it holds none."""
    _, _, text = public_id.partition("_")
    number = 0
    if len(text) != 26:
        raise ValueError("an id has 26 characters behind its prefix")
    for character in text:
        number = (number << 5) | _ALPHABET.index(character)
    return uuid.UUID(int=number)


def new(prefix: str) -> str:
    return public(prefix, uuid7())


def derived(prefix: str, *parts: str) -> str:
    """The same id for the same parts, wherever it is made (names, idempotency keys)."""
    text = "\x00".join(f"{len(part)}:{part}" for part in parts)
    digest = hashlib.sha256(text.encode()).digest()
    return public(prefix, uuid.UUID(bytes=digest[:16]))


def derived_uuid(*parts: str) -> uuid.UUID:
    return private(derived("id", *parts))


def uuid_of(text: str) -> uuid.UUID:
    return uuid.UUID(text)
