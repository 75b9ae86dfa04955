"""The verifier asks for the witnesses that it was told of, and says which of them is missing."""

import base64
import json
import random
import struct
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests_support.trails import KEY, SIGNER, Trail, written

from cli import audit_verify
from libs.trail.cosignatures import Cosigner
from libs.trail.notes import Signer, split_note
from tools import trail_vectors

TRAIL = Trail(random.Random(8)).grow(40)
TIME = 1_795_305_600


class Witness:
    """A private key that signs along."""

    def __init__(self, name: str, seed: int) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.public = Cosigner(name, self.private.public_key().public_bytes_raw())
        self.key, self.name = str(self.public), name

    def line(self, note: str, time: int = TIME, said_time: int = TIME, about: str = "") -> str:
        text = about or split_note(note)[0]
        signature = self.private.sign(f"cosignature/v1\ntime {said_time}\n{text}".encode())
        return self.public.line(time, signature)


ONE, TWO = Witness("witness.example/one", 1), Witness("witness.example/two", 2)
ANOTHER = Witness("witness.example/one", 3)
NOTE = TRAIL.checkpoint()
BOTH = NOTE + ONE.line(NOTE) + TWO.line(NOTE)


@pytest.fixture
def verify(tmp_path: Path, capsys):
    """Over an export or a proof whose checkpoint is this note; what was asked for as words."""

    def run(what: str, note: str, *more: str) -> tuple[int, str]:
        file, memory = tmp_path / "given", tmp_path / "memory.json"
        if what == "export":
            lines = TRAIL.export(20, 5)
            lines[-1]["checkpoint"] = note
            file.write_bytes(written(lines))
        else:
            file.write_text(TRAIL.proof(17).replace(NOTE, note))
        code = audit_verify.main([what, str(file), "--key", KEY, "--memory", str(memory), *more])
        assert not code or not memory.exists(), "what is wrong was remembered"
        return code, "".join(capsys.readouterr())

    return run


def asking(*witnesses: Witness) -> list[str]:
    return [word for witness in witnesses for word in ("--witness", witness.key)]


@pytest.mark.parametrize("what", ["export", "proof"])
def test_a_checkpoint_that_all_have_signed_is_sound_for_whoever_asks_for_any_of_them(verify, what):
    for wanted in ([], [ONE], [TWO], [ONE, TWO], [TWO, ONE]):
        assert verify(what, BOTH, *asking(*wanted))[0] == 0
    assert verify(what, NOTE)[0] == 0


WRONG = {
    "nobody has signed along": (NOTE, ONE, "witness.example/one has not signed it"),
    "the other one is missing": (NOTE + ONE.line(NOTE), TWO, "witness.example/two has not signed"),
    "another key of that name": (NOTE + ANOTHER.line(NOTE), ONE, "with this key, or not once"),
    "it has signed twice": (BOTH + ONE.line(NOTE, TIME + 1, TIME + 1), ONE, "or not once"),
    "it has signed another size": (
        NOTE + ONE.line(NOTE, about=split_note(TRAIL.checkpoint(39))[0]), ONE, "does not fit"
    ),
    "it has signed another time": (NOTE + ONE.line(NOTE, TIME + 1), ONE, "does not fit"),
    "it has signed the note as a signer does": (
        NOTE + f"— {ONE.name} " + base64.b64encode(
            ONE.public.id + struct.pack(">Q", TIME) + ONE.private.sign(split_note(NOTE)[0].encode())
        ).decode() + "\n", ONE, "does not fit"
    ),
    "its line is that of a signer": (
        NOTE + Signer(ONE.name, ONE.private).signature_line(split_note(NOTE)[0]), ONE, "not signed"
    ),
    "its line ends early": (
        NOTE + f"— {ONE.name} {base64.b64encode(ONE.public.id + b'1234').decode()}\n", ONE,
        "does not fit",
    ),
    "its line holds nothing": (
        NOTE + f"— {ONE.name} {base64.b64encode(ONE.public.id).decode()}\n", ONE, "does not fit"
    ),
    "its line is no base 64": (NOTE + f"— {ONE.name} nonsense!\n", ONE, "is not base 64"),
}  # fmt: skip


@pytest.mark.parametrize(("note", "witness", "says"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize(("what", "place"), [("export", "line 7"), ("proof", "line 11")])
def test_what_is_wrong_with_a_cosignature_is_named(verify, what, place, note, witness, says):
    code, said = verify(what, note, *asking(witness))

    assert code == 1 and said.startswith(f"{place}, field checkpoint: "), said
    assert says in said


@pytest.mark.parametrize("seed", range(80))
def test_a_flipped_bit_in_a_cosignature_is_blamed(verify, seed):
    rng, text = random.Random(seed), bytearray(BOTH.encode())
    at = rng.randrange(len((NOTE + ONE.line(NOTE)).encode()), len(text) - 1)
    text[at] ^= 1 << rng.randrange(7)
    changed = text.decode(errors="replace")
    code, said = verify("export", changed, *asking(ONE, TWO))

    assert code == 1 and "field checkpoint: " in said, said


def test_the_published_cosignature_is_sound(tmp_path, capsys):
    vectors = json.loads(trail_vectors.FILE.read_text())
    proof = vectors["proof"].replace(vectors["checkpoint"], vectors["cosigned"])
    (tmp_path / "proof").write_text(proof)
    given = ["proof", str(tmp_path / "proof"), "--key", vectors["verifier_key"],
             "--memory", str(tmp_path / "memory")]  # fmt: skip

    assert audit_verify.main([*given, "--witness", vectors["witness_key"]]) == 0
    assert audit_verify.main([*given, "--witness", ONE.key]) == 1
    assert "witness.example/one" in capsys.readouterr().out


def test_a_key_that_is_none_of_a_witness_is_no_verdict(verify):
    broken = ONE.key[:-4] + "AAAA"
    of_a_signer = str(Signer(ONE.name, ONE.private).verifier)
    for key in (KEY, of_a_signer, broken, "nonsense", "a+b"):
        assert verify("export", BOTH, "--witness", key)[0] == 2, key


def test_a_witnesses_key_is_no_key_of_the_signer(verify):
    ours = Signer("troth/audit", ONE.private)
    alone = Cosigner("troth/audit", ours.verifier.public)
    code, _ = verify("proof", NOTE, "--key", str(alone))

    assert code == 2
    assert str(SIGNER.verifier) == KEY


def test_a_receipt_is_signed_by_no_witness(tmp_path, capsys):
    receipt = Trail(random.Random(2)).grow(5).forget_day("2026-11-22")
    (tmp_path / "receipt").write_text(receipt)
    given = ["receipt", str(tmp_path / "receipt"), "--key", KEY, "--memory", str(tmp_path / "seen")]

    assert audit_verify.main(given) == 0
    assert audit_verify.main([*given, "--witness", ONE.key]) == 1
    assert "no witness signs a receipt" in capsys.readouterr().out
