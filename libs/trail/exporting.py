"""The objects of an export: its header, an entry with what is shown of it, its footer."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from libs.trail.canonical import FIELDS
from libs.trail.notes import b64

FORMAT = "troth-audit-export/1"
CLOSED = frozenset({"number"})
"""Its numbers would tell how busy the installation is."""


Fields = dict[str, dict[str, str | None]]


def line(what: dict[str, Any]) -> bytes:
    return json.dumps(what, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def header(trail: str, first: int, count: int, verifier_key: str) -> dict[str, Any]:
    return {
        "format": FORMAT, "trail": trail, "first": first, "count": count,
        "verifier_key": verifier_key,
    }  # fmt: skip


def entry(seq: int, day: int, class_: str, leaf: bytes, fields: Fields) -> dict[str, Any]:
    """An entry whose detail is kept: an export's line, or the `extra` of a proof file."""
    return {"seq": seq, "day": day, "class": class_, "leaf": b64(leaf), "fields": fields}


def forgotten(seq: int, day: int, class_: str, leaf: bytes, body: bytes) -> dict[str, Any]:
    """One whose detail is forgotten: its body still proves day and class."""
    return {"seq": seq, "day": day, "class": class_, "leaf": b64(leaf), "body": b64(body)}


def footer(checkpoint: str, left: Sequence[bytes], right: Sequence[bytes]) -> dict[str, Any]:
    return {
        "checkpoint": checkpoint,
        "left": [b64(hash_) for hash_ in left],
        "right": [b64(hash_) for hash_ in right],
    }


def shown(
    values: Sequence[str | None],
    commitments: Sequence[bytes],
    salts: Mapping[str, bytes],
    closed: Collection[str] = CLOSED,
) -> Fields:
    """Each field: its commitment; its value and salt where there is a salt and it is not closed."""
    fields: Fields = {}
    for name, value, commitment in zip(FIELDS, values, commitments, strict=True):
        fields[name] = {"commitment": b64(commitment)}
        if name in salts and name not in closed:
            fields[name] |= {"value": value, "salt": b64(salts[name])}
    return fields
