"""Cosignatures: known answers of the public network of witnesses, and what is refused."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from libs.trail.cosignatures import Cosigner, signed_text
from libs.trail.notes import BadNote, Checkpoint, Signer, Verifier, b64, split_note

# A checkpoint of a public log, as its witnesses have signed it, and the keys that they publish.
LOG = "arche2025h1.staging.ct.transparency.dev"
LOG_KEY = f"{LOG}+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
TEXT = f"{LOG}\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n"
WITNESSES = {
    "transparency.dev/DEV:witness-little-garden": (
        "d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
        "2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q4"
        "4vdgJY096st5BQ==",
    ),
    "witness1.smartit.nu/witness1": (
        "a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
        "pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0t"
        "gh0XwzdZsDsUAQ==",
    ),
    "remora.n621.de": (
        "da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
        "2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0"
        "WBxtqB0DrAWfBw==",
    ),
    "witness.stagemole.eu": (
        "67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
        "Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUi"
        "OvKFYe/TmN9DAg==",
    ),
}
NOTE = (
    f"{TEXT}\n— {LOG} ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59"
    "RA23oHP7Ry1k3ZFWwQ=\n"
) + "".join(f"— {name} {line}\n" for name, (_, line) in WITNESSES.items())

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
WITNESS = Cosigner("witness.example/w1", PRIVATE.public_key().public_bytes_raw())
SIGNER = Signer.of_seed("troth/audit", bytes(range(32)))
OURS = SIGNER.sign(Checkpoint("troth/trail_x", 7, bytes(32)).text())


def cosigned(time: int = 1_700_000_000, text: str | None = None) -> str:
    text = split_note(OURS)[0] if text is None else text
    return OURS + WITNESS.line(time, PRIVATE.sign(signed_text(time, text).encode()))


@pytest.mark.parametrize("name", WITNESSES)
def test_what_public_witnesses_have_signed_verifies(name):
    key, line = WITNESSES[name]
    cosigner = Cosigner.parse(f"{name}+{key}")

    assert cosigner.open(NOTE) == TEXT == Verifier.parse(LOG_KEY).open(NOTE)
    assert cosigner.line_of(NOTE) == f"— {name} {line}\n"
    assert str(cosigner) == f"{name}+{key}"


def test_a_cosignature_is_found_below_the_signers_own():
    assert WITNESS.open(cosigned()) == SIGNER.verifier.open(cosigned()) == split_note(OURS)[0]
    assert OURS + WITNESS.line_of(cosigned()) == cosigned()


@pytest.mark.parametrize("at", range(len(OURS.encode()), len(cosigned().encode()) - 1))
def test_no_changed_byte_of_a_cosignature_passes(at):
    changed = bytearray(cosigned().encode())
    changed[at] ^= 1
    with pytest.raises((BadNote, UnicodeDecodeError)):
        WITNESS.open(changed.decode())


@pytest.mark.parametrize(
    ("note", "what"),
    [
        (OURS, "has not signed"),
        (cosigned(text="troth/trail_x\n8\n"), "does not fit"),
        (cosigned(time=2**63), "is none"),
        (OURS + WITNESS.line(7, PRIVATE.sign(split_note(OURS)[0].encode())), "does not fit"),
        (OURS + WITNESS.line(7, b""), "does not fit"),
        (OURS + f"— {WITNESS.name} {b64(WITNESS.id)}\n", "does not fit"),
        (OURS + Signer(WITNESS.name, PRIVATE).signature_line(split_note(OURS)[0]), "has not"),
    ],
)
def test_a_note_that_the_witness_did_not_sign_so_is_refused(note, what):
    with pytest.raises(BadNote, match=what):
        WITNESS.open(note)


def test_the_key_of_a_signer_is_no_key_of_a_witness_nor_the_other_way_round():
    with pytest.raises(BadNote, match="not for cosignatures"):
        Cosigner.parse(str(SIGNER.verifier))
    with pytest.raises(BadNote, match="not for Ed25519"):
        Verifier.parse(str(WITNESS))
    assert WITNESS.id != Signer(WITNESS.name, PRIVATE).verifier.id
