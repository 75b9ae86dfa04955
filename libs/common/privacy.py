"""Sealing: AES-256-GCM under keys of an organization or a person, one derived key per stream.

Text form `v1.<kid>.<nonce>.<ciphertext>`; associated data `org | purpose | stream | kid`. Wrapped
data keys come from identity, are unwrapped with the installation's key and kept ten minutes.
"""

import base64
import hmac
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from libs.common.once import Kept

KEEP_S = 600
MISSED_S = 5
STREAMS_MAX = 4096
FORGOTTEN = "forgotten"


class Forgotten(Exception):
    """The key is destroyed; the value reads as `forgotten`."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as it is stored and sent: sealed under the installation's key."""

    kid: str
    wrapped: str


Fetch = Callable[[str, str], Awaitable[WrappedKey | None]]


def wrap(kek: bytes, kid: str, key: bytes) -> str:
    nonce = os.urandom(12)
    return _text(nonce + AESGCM(kek).encrypt(nonce, key, f"data-key|{kid}".encode()))


def unwrap(kek: bytes, kid: str, wrapped: str) -> bytes:
    raw = _raw(wrapped)
    return AESGCM(kek).decrypt(raw[:12], raw[12:], f"data-key|{kid}".encode())


class DataKey:
    """One owner's key for one purpose; gives the sealed form of values of a stream."""

    def __init__(self, owner: str, purpose: str, kid: str, secret: bytes) -> None:
        self.owner, self.purpose, self.kid, self._secret = owner, purpose, kid, secret
        self._streams: OrderedDict[str, AESGCM] = OrderedDict()

    def _of_stream(self, stream: str) -> AESGCM:
        cipher = self._streams.get(stream)
        if cipher is None:
            derived = HKDFExpand(SHA256(), 32, stream.encode()).derive(self._secret)
            cipher = self._streams[stream] = AESGCM(derived)
            if len(self._streams) > STREAMS_MAX:
                self._streams.popitem(last=False)
        return cipher

    def _bound(self, stream: str) -> bytes:
        return f"{self.owner}|{self.purpose}|{stream}|{self.kid}".encode()

    def seal(self, value: Any, stream: str) -> str:
        """The sealed form of a JSON value, openable for this stream only."""
        return self.seal_bytes(msgspec.json.encode(value), stream)

    def seal_bytes(self, plain: bytes, stream: str) -> str:
        nonce = os.urandom(12)
        sealed = self._of_stream(stream).encrypt(nonce, plain, self._bound(stream))
        return f"v1.{self.kid}.{_text(nonce)}.{_text(sealed)}"

    def open(self, sealed: str, stream: str) -> Any:
        """The value; Forgotten when it was sealed under another key; ValueError when changed."""
        return msgspec.json.decode(self.open_bytes(sealed, stream))

    def open_bytes(self, sealed: str, stream: str) -> bytes:
        version, kid, nonce, body = sealed.split(".")
        if version != "v1":
            raise ValueError("unknown sealed form")
        if kid != self.kid:
            raise Forgotten(kid)
        try:
            return self._of_stream(stream).decrypt(_raw(nonce), _raw(body), self._bound(stream))
        except InvalidTag:
            raise ValueError("the sealed value was changed or belongs elsewhere") from None

    def digest(self, value: bytes | str, use: str) -> str:
        """A keyed digest: equal values can be found, and nothing can be guessed from it."""
        raw = value.encode() if isinstance(value, str) else value
        return hmac.new(self._secret, use.encode() + b"\x00" + raw, sha256).hexdigest()


class KeyRing:
    """Keys in use by this process; asks `fetch(owner, purpose)` and forgets after ten minutes."""

    def __init__(self, kek: bytes, fetch: Fetch) -> None:
        self._kek, self._fetch = kek, fetch
        self._keys: Kept[tuple[str, str], DataKey | None] = Kept(
            lambda key: KEEP_S if key is not None else MISSED_S
        )

    def at_hand(self, owner: str, purpose: str) -> DataKey | None:
        """The key without asking anybody; None when it has to be asked for."""
        return self._keys.at_hand((owner, purpose))

    async def key(self, owner: str, purpose: str) -> DataKey:
        """Raises Forgotten when there is no such key (any more)."""
        found = await self._keys.get((owner, purpose), lambda: self._asked(owner, purpose))
        if found is None:
            raise Forgotten(owner)
        return found

    async def _asked(self, owner: str, purpose: str) -> DataKey | None:
        wrapped = await self._fetch(owner, purpose)
        if wrapped is None:
            return None
        secret = unwrap(self._kek, wrapped.kid, wrapped.wrapped)
        return DataKey(owner, purpose, wrapped.kid, secret)

    async def open(self, owner: str, purpose: str, stream: str, sealed: str | None) -> Any:
        """The value, None for None, or `forgotten` when its key is gone."""
        if sealed is None:
            return None
        try:
            return (await self.key(owner, purpose)).open(sealed, stream)
        except Forgotten:
            return FORGOTTEN

    async def seal(self, owner: str, purpose: str, stream: str, value: Any) -> str:
        return (await self.key(owner, purpose)).seal(value, stream)

    def installation_key(self, purpose: str) -> DataKey:
        """A key of the installation itself, for what belongs to no organization or person."""
        secret = HKDFExpand(SHA256(), 32, purpose.encode()).derive(self._kek)
        return DataKey("instance", purpose, "installation", secret)

    def drop(self, owner: str) -> None:
        self._keys.drop(lambda name: name[0] == owner)


def keyed_digest(key: bytes, value: str) -> str:
    """For indexes under the installation's index key (e-mail addresses)."""
    return hmac.new(key, value.encode(), sha256).hexdigest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(text: str) -> bytes:
    """ValueError for any other text of the same bytes, so that no character can be changed."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _text(raw) != text:
        raise ValueError("not our base 64")
    return raw
