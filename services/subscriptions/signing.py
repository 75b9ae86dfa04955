"""Signatures of deliveries as Standard Webhooks says: HMAC-SHA-256 over `id.timestamp.body`."""

import base64
import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(keys: Sequence[str], webhook_id: str, timestamp: int, body: bytes) -> str:
    """One `v1,…` per key, with spaces between: while a key is rotated there are two."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(_raw(key), signed, sha256)).decode() for key in keys
    )


def _raw(key: str) -> bytes:
    return base64.b64decode(key.removeprefix(PREFIX))
