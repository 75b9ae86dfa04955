"""What stands for a file in a value: `{"$file": "file_…"}`, and finding it there."""

import re
from typing import Any

import msgspec

from services.executor.contract import REFERENCE

_MARK = f'"{REFERENCE}"'.encode()
_NAMED = re.compile(rb'"\$file":"(file_[0-9a-z]{1,40})"')


def referred(encoded: bytes) -> frozenset[str]:
    """The files that a value names, in JSON as it is sealed."""
    if _MARK not in encoded:
        return frozenset()
    return frozenset(name.decode() for name in _NAMED.findall(encoded))


def referred_by(value: Any) -> frozenset[str]:
    return referred(msgspec.json.encode(value))


def value_of(file: str, media_type: str, size_bytes: int) -> dict[str, Any]:
    """What stands for a file in the values of an execution."""
    return {REFERENCE: file, "media_type": media_type, "size_bytes": size_bytes}
