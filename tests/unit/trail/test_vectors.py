"""The published vectors, read by the second implementation; and that they are those of today."""

import base64
import hashlib
import json
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests_support import trail_reference as reference

from tools import trail_vectors

VECTORS = json.loads(trail_vectors.FILE.read_text())
LEAVES = [bytes.fromhex(leaf) for leaf in VECTORS["leaves"]]


def test_the_published_vectors_are_those_of_this_code():
    assert trail_vectors.FILE.read_text() == trail_vectors.text(), (
        "the format changed? then: python -m tools.trail_vectors"
    )


@pytest.mark.parametrize("entry", VECTORS["entries"], ids=lambda entry: f"seq-{entry['seq']}")
def test_an_entry_leads_to_its_leaf(entry):
    secret = bytes.fromhex(entry["secret"])
    body = reference.body_of(secret, entry["values"])
    whole = reference.entry_of(entry["trail"], entry["seq"], entry["day"], entry["class"], body)

    for name, value in entry["values"].items():
        assert reference.salt_of(secret, name).hex() == entry["salts"][name]
        commitment = reference.commitment_of(secret, name, value)
        assert commitment.hex() == entry["commitments"][name], name
    assert body.hex() == entry["body"]
    assert reference.leaf_of(whole).hex() == entry["leaf"]
    assert LEAVES[entry["seq"]].hex() == entry["leaf"]


def test_the_roots_of_all_sizes_are_those_of_the_rfc():
    found = [reference.mth(LEAVES[:size]).hex() for size in range(len(LEAVES) + 1)]

    assert found == VECTORS["roots"]


def test_the_proofs_are_those_of_the_rfc():
    for one in VECTORS["inclusion"]:
        path = reference.path(one["index"], LEAVES[: one["size"]])
        assert [hash_.hex() for hash_ in path] == one["hashes"], one
    for one in VECTORS["consistency"]:
        path = reference.proof(one["from"], LEAVES[: one["to"]])
        assert [hash_.hex() for hash_ in path] == one["hashes"], one


def test_the_checkpoint_is_signed_by_the_key_of_the_seed():
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS["seed"]))
    public = private.public_key().public_bytes_raw()
    id_ = hashlib.sha256(b"troth/audit\n\x01" + public).digest()[:4]
    root = base64.b64encode(reference.mth(LEAVES)).decode()
    text = f"troth/{trail_vectors.TRAIL}\n{len(LEAVES)}\n{root}\n"
    signature = base64.b64encode(id_ + private.sign(text.encode())).decode()
    key = base64.b64encode(b"\x01" + public).decode()

    assert VECTORS["checkpoint"] == f"{text}\n— troth/audit {signature}\n"
    assert VECTORS["verifier_key"] == f"troth/audit+{id_.hex()}+{key}"


def test_the_cosignature_is_of_the_witness_of_the_seed_and_covers_its_time():
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS["witness_seed"]))
    name, public = trail_vectors.WITNESS, private.public_key().public_bytes_raw()
    id_ = hashlib.sha256(f"{name}\n".encode() + b"\x04" + public).digest()[:4]
    text, time = VECTORS["checkpoint"].partition("\n\n")[0] + "\n", VECTORS["cosigned_at"]
    signature = private.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
    line = base64.b64encode(id_ + struct.pack(">Q", time) + signature).decode()

    assert VECTORS["cosigned"] == f"{VECTORS['checkpoint']}— {name} {line}\n"
    key = base64.b64encode(b"\x04" + public).decode()
    assert VECTORS["witness_key"] == f"{name}+{id_.hex()}+{key}"


def test_the_export_covers_the_rest_of_the_tree():
    lines = [json.loads(line) for line in VECTORS["export"].splitlines()]
    header, *entries, footer = lines
    first, end = header["first"], header["first"] + header["count"]

    assert [base64.b64decode(one["leaf"]) for one in entries] == LEAVES[first:end]
    for side, (a, b) in {"left": (0, first), "right": (end, len(LEAVES))}.items():
        roots = [reference.mth(LEAVES[start:stop]) for start, stop in reference.covered(a, b)]
        assert [base64.b64decode(hash_) for hash_ in footer[side]] == roots
