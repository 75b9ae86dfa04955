"""The origin of a request, sealed: address and user agent, under a key of the day that audit has.

Text form `o1.<day>.<nonce and ciphertext>`: it can be opened as long as the day is not forgotten,
by whoever may have the key of that day. Producers keep it as it came and open nothing.
"""

import base64
import hmac
import os
from hashlib import sha256

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORM = "o1"


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """Where a request came from."""

    address: str | None
    agent: str | None


_encode = msgspec.json.Encoder().encode


class OriginKey:
    """The key under which the origins of one day are sealed."""

    def __init__(self, day: int, key: bytes) -> None:
        self.day, self._key = day, key
        self._cipher, self._bound = AESGCM(key), _bound(day)

    def seal(self, origin: Origin) -> str:
        """Never twice the same text, so that nobody without the key sees equal origins."""
        nonce = os.urandom(12)
        sealed = self._cipher.encrypt(nonce, _encode(origin), self._bound)
        return f"{FORM}.{self.day}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def digest(self, origin: Origin) -> str:
        """The same for the same origin on this day: for counts that are folded, kept a minute."""
        return hmac.new(self._key, b"fold\x00" + _encode(origin), sha256).hexdigest()[:32]


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
