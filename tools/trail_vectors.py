"""The trail's test vectors: `python -m tools.trail_vectors` writes docs/trail-vectors.json.

Everything in them is derived from small numbers, so they never change unless the format does.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from libs.trail import exporting, paths, tree
from libs.trail.canonical import CLASSES, EXPIRED, FIELDS, body, commitments, leaf, salts
from libs.trail.cosignatures import Cosigner, signed_text
from libs.trail.notes import Checkpoint, Signer, origin_of, signer_name, split_note
from libs.trail.proofs import Proof
from tools import inventory

FILE = inventory.ROOT / "docs" / "trail-vectors.json"
TRAIL = "trail_0123456789abcdefghjkmnpqrs"
FIRST_DAY = 20_779
COUNT = 21
EXPORTED = (5, 13)
FORGOTTEN_BEFORE = 8
PROVED = 12
WITNESS, WITNESS_SEED, COSIGNED_AT = "witness.example/troth", bytes(range(32, 64)), 1_795_305_600
Values = tuple[str | None, ...]


def secret(seq: int) -> bytes:
    return hashlib.sha256(b"troth/test-vectors/%d" % seq).digest()


def day(seq: int) -> int:
    return FIRST_DAY + seq // 6


def class_(seq: int) -> str:
    return CLASSES[seq % len(CLASSES)]


def values(seq: int) -> Values:
    """Texts of several scripts, empty ones, missing ones; nothing where the class is `expired`."""
    if class_(seq) == EXPIRED:
        return (None,) * len(FIELDS)
    data = json.dumps({"seq": seq, "text": "naïve 漢字 😀 \u0000\n"}, ensure_ascii=seq % 2 == 0)
    return (
        f"evt_{seq:026d}", "workflows.event.workflow-published",
        f"2026-11-{22 + seq // 6:02d}T{seq % 24:02d}:00:00.{seq:03d}Z", "workflows", f"1:{seq}",
        None if seq % 5 == 0 else f"per_{seq:026d}", "wf_" + "é" * seq, str(seq),
        ("success", "failure", "refused")[seq % 3], "2001:db8::7", "" if seq % 4 else "curl/8",
        None, data,
    )  # fmt: skip


def leaves() -> list[bytes]:
    return [
        leaf(TRAIL, seq, day(seq), class_(seq), body(secret(seq), values(seq)))
        for seq in range(COUNT)
    ]


def entry_vectors() -> list[dict[str, Any]]:
    return [
        {
            "trail": TRAIL, "seq": seq, "day": day(seq), "class": class_(seq),
            "secret": secret(seq).hex(),
            "values": dict(zip(FIELDS, values(seq), strict=True)),
            "salts": dict(zip(FIELDS, _hex(salts(secret(seq))), strict=True)),
            "commitments": dict(
                zip(FIELDS, _hex(commitments(secret(seq), values(seq))), strict=True)
            ),
            "body": body(secret(seq), values(seq)).hex(),
            "leaf": leaves()[seq].hex(),
        }
        for seq in (0, 1, 10)
    ]  # fmt: skip


def vectors() -> dict[str, Any]:
    all_leaves = leaves()

    def hash_of(level: int, at: int) -> bytes:
        return {0: all_leaves}[level][at]

    def roots() -> list[str]:
        return [tree.range_hash(0, size, hash_of).hex() for size in range(COUNT + 1)]

    return {
        "format": "docs/trail-format.md",
        "entries": entry_vectors(),
        "leaves": _hex(all_leaves),
        "roots": roots(),
        "inclusion": [
            {"index": at, "size": size, "hashes": _hex(paths.inclusion(at, size, hash_of))}
            for at, size in ((0, 1), (0, 8), (5, 8), (6, 7), (12, 21), (20, 21))
        ],
        "consistency": [
            {"from": old, "to": new, "hashes": _hex(paths.consistency(old, new, hash_of))}
            for old, new in ((1, 8), (6, 8), (2, 5), (8, 21), (7, 21), (20, 21))
        ],
        **_signed(all_leaves, hash_of),
    }


def _signed(all_leaves: Sequence[bytes], hash_of: tree.HashOf) -> dict[str, Any]:
    signer = Signer.of_seed(signer_name("troth"), bytes(range(32)))
    root = tree.range_hash(0, COUNT, hash_of)
    checkpoint = signer.sign(Checkpoint(origin_of("troth", TRAIL), COUNT, root).text())
    first, end = EXPORTED
    shown = [_shown(seq, all_leaves[seq]) for seq in range(first, end)]
    lines = [
        exporting.header(TRAIL, first, end - first, str(signer.verifier)),
        *shown,
        exporting.footer(
            checkpoint,
            paths.covering(0, first, hash_of),
            paths.covering(end, COUNT, hash_of),
        ),
    ]
    way = paths.inclusion(PROVED, COUNT, hash_of)
    return {
        "seed": bytes(range(32)).hex(),
        "verifier_key": str(signer.verifier),
        "checkpoint": checkpoint,
        "export": b"".join(exporting.line(one) for one in lines).decode(),
        "proof": str(Proof(PROVED, way, checkpoint, shown[PROVED - first])),
        **_cosigned(checkpoint),
    }


def _cosigned(checkpoint: str) -> dict[str, Any]:
    private = Ed25519PrivateKey.from_private_bytes(WITNESS_SEED)
    witness = Cosigner(WITNESS, private.public_key().public_bytes_raw())
    said = signed_text(COSIGNED_AT, split_note(checkpoint)[0])
    line = witness.line(COSIGNED_AT, private.sign(said.encode()))
    return {
        "witness_seed": WITNESS_SEED.hex(),
        "witness_key": str(witness),
        "cosigned_at": COSIGNED_AT,
        "cosigned": checkpoint + line,
    }


def _shown(seq: int, leaf_: bytes) -> dict[str, Any]:
    if seq < FORGOTTEN_BEFORE:
        gone = body(secret(seq), values(seq))
        return exporting.forgotten(seq, day(seq), class_(seq), leaf_, gone)
    fields = exporting.shown(
        values(seq),
        commitments(secret(seq), values(seq)),
        dict(zip(FIELDS, salts(secret(seq)), strict=True)),
        closed={"number", "agent"},
    )
    return exporting.entry(seq, day(seq), class_(seq), leaf_, fields)


def _hex(hashes: Sequence[bytes]) -> list[str]:
    return [hash_.hex() for hash_ in hashes]


def text() -> str:
    return json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
