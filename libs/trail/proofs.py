"""Proof files (C2SP tlog-proof): one entry, its way to the root, and the signed checkpoint."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from libs.trail.notes import BadNote, b64, unb64
from libs.trail.tree import HASH_BYTES

HEAD = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class Proof:
    """What a proof file holds; `extra` is the disclosed entry as in an export's line."""

    index: int
    hashes: Sequence[bytes]
    checkpoint: str
    extra: dict[str, Any] | None = None

    def __str__(self) -> str:
        lines = [HEAD]
        if self.extra is not None:
            shown = json.dumps(self.extra, ensure_ascii=False, separators=(",", ":"))
            lines.append(f"extra {b64(shown.encode())}")
        lines.append(f"index {self.index}")
        lines += [b64(hash_) for hash_ in self.hashes]
        return "\n".join(lines) + "\n\n" + self.checkpoint

    @classmethod
    def parse(cls, text: str) -> "Proof":
        """BadNote when it is none."""
        head, gap, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        if not gap or lines.pop(0) != HEAD:
            raise BadNote(f"a proof file begins with {HEAD}")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = _object(unb64(lines.pop(0).removeprefix("extra ")))
        word, _, index = (lines.pop(0) if lines else "").partition(" ")
        if word != "index" or not (index.isascii() and index.isdigit()):
            raise BadNote("a proof file says its index")
        return cls(int(index), [unb64(line, HASH_BYTES) for line in lines], checkpoint, extra)


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BadNote("`extra` holds no JSON") from error
    if not isinstance(found, dict):
        raise BadNote("`extra` holds no object")
    return found
