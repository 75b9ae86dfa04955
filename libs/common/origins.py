"""The origin of a request, sealed: address and user agent, under a key of the day that audit has.

Text form `o1.<day>.<nonce and ciphertext>`: it can be opened as long as the day is not forgotten,
by whoever may have the key of that day. Producers keep it as it came and open nothing.
"""

import base64
import os

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORM = "o1"


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """Where a request came from."""

    address: str | None
    agent: str | None


def seal_origin(key: bytes, day: int, origin: Origin) -> str:
    nonce = os.urandom(12)
    sealed = AESGCM(key).encrypt(nonce, msgspec.json.encode(origin), _bound(day))
    return f"{FORM}.{day}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def day_of_origin(sealed: str) -> int | None:
    """The day whose key opens it; None for what is not of this form."""
    form, _, rest = sealed.partition(".")
    day = rest.partition(".")[0]
    return int(day) if form == FORM and day.isdecimal() and len(day) < 8 else None


def open_origin(key: bytes, sealed: str) -> Origin | None:
    """None for what was changed, or sealed under another key."""
    _, day, text = sealed.split(".", 2)
    try:
        raw = base64.urlsafe_b64decode(text)
        plain = AESGCM(key).decrypt(raw[:12], raw[12:], _bound(int(day)))
        return msgspec.json.decode(plain, type=Origin)
    except (InvalidTag, ValueError, msgspec.DecodeError):
        return None


def _bound(day: int) -> bytes:
    return f"troth/audit/origin/v1|{day}".encode()
