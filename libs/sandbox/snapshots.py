"""Stored snapshots: with a MAC in front, bound to where they belong and to the Monty they are of.

Monty does not authenticate what it loads, and promises nothing for bytes that it did not write.
"""

import hmac
from functools import cache
from hashlib import sha256
from importlib.metadata import version

from libs.sandbox.errors import SnapshotRefused

MARK = b"MSS1"
MAC_BYTES = 32


def seal(snapshot: bytes, key: bytes, context: str) -> bytes:
    """The form to store. `context` names the one place that it is good for, e.g. `exe_1:sum.1`."""
    own = monty_version().encode()
    rest = bytes([len(own)]) + own + snapshot
    return MARK + _mac(rest, key, context) + rest


def unseal(stored: bytes, key: bytes, context: str) -> bytes:
    """The snapshot; SnapshotRefused if it was changed, belongs elsewhere, is of another Monty."""
    mac, rest = stored[len(MARK) : len(MARK) + MAC_BYTES], stored[len(MARK) + MAC_BYTES :]
    ours = stored.startswith(MARK) and hmac.compare_digest(mac, _mac(rest, key, context))
    if not ours:
        raise SnapshotRefused(
            "snapshot-changed", "the stored snapshot was changed or belongs to another step"
        )
    end = 1 + rest[0]
    theirs, own = rest[1:end].decode(), monty_version()
    if theirs != own:
        raise SnapshotRefused(
            "snapshot-version", f"the stored snapshot is of Monty {theirs}, here is {own}"
        )
    return rest[end:]


@cache
def monty_version() -> str:
    return version("pydantic-monty-runtime")


def _mac(rest: bytes, key: bytes, context: str) -> bytes:
    place = context.encode()
    return hmac.digest(key, len(place).to_bytes(4) + place + rest, sha256)
