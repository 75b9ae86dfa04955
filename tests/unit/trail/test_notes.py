"""Signed notes: known answers of Go's note package, keys, checkpoints, and what is refused."""

import pytest

from libs.trail.notes import BadNote, Checkpoint, Signer, Verifier, split_note, unb64

# The example of Go's golang.org/x/mod/sumdb/note.
SEED = unb64("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_NOTE = (
    f"{GO_TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXg"
    "KvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
SIGNER = Signer.of_seed("troth/audit", bytes(range(32)))
NOTE = SIGNER.sign(Checkpoint("troth/trail_x", 7, bytes(32)).text())


def test_keys_and_signatures_are_those_of_gos_note_package():
    signer = Signer.of_seed("PeterNeumann", SEED)

    assert str(signer.verifier) == GO_KEY
    assert signer.sign(GO_TEXT) == GO_NOTE
    assert Verifier.parse(GO_KEY).open(GO_NOTE) == GO_TEXT


def test_a_checkpoint_reads_as_it_was_signed():
    text = Verifier.parse(str(SIGNER.verifier)).open(NOTE)

    assert Checkpoint.parse(text) == Checkpoint("troth/trail_x", 7, bytes(32))
    assert Checkpoint.parse(text).trail == "trail_x"


def test_a_witness_may_sign_too():
    witness = Signer.of_seed("witness.example", bytes(32))
    both = NOTE + witness.signature_line(split_note(NOTE)[0])

    assert SIGNER.verifier.open(both) == witness.verifier.open(both)


@pytest.mark.parametrize("at", range(len(NOTE.encode()) - 1))
def test_no_changed_byte_of_a_note_passes(at):
    changed = bytearray(NOTE.encode())
    changed[at] ^= 1
    with pytest.raises((BadNote, UnicodeDecodeError)):
        SIGNER.verifier.open(changed.decode())


@pytest.mark.parametrize(
    "other",
    [
        Signer.of_seed("troth/audit", bytes(32)).verifier,
        Signer.of_seed("else/audit", bytes(range(32))).verifier,
    ],
)
def test_another_key_and_another_name_open_nothing(other):
    with pytest.raises(BadNote, match="has not signed"):
        other.open(NOTE)


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("troth", "33 belong"),
        (GO_KEY.replace("c74f20a3", "c74f20a4"), "key's id"),
        (GO_KEY.replace("+ARpc", "+ARpd"), "key's id"),
        (GO_KEY.replace("+AR", "+Ah"), "not for Ed25519"),
        ("a b" + GO_KEY, "spaces"),
        (GO_KEY[:-1], "base 64"),
    ],
)
def test_a_text_that_is_no_key_is_refused(key, what):
    with pytest.raises(BadNote, match=what):
        Verifier.parse(key)


@pytest.mark.parametrize(
    "text",
    [
        "troth/t\n7\n",
        "troth/t\n7\nAAAA\n",
        "troth/t\n07\n" + "A" * 43 + "=\n",
        "troth/t\n-7\n" + "A" * 43 + "=\n",
        "troth/t\n7\n" + "A" * 43 + "=\nmore\n",
        "troth/t\n7\n" + "A" * 42 + "B=\n",
        "\n7\n" + "A" * 43 + "=\n",
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused(text):
    with pytest.raises(BadNote):
        Checkpoint.parse(text)


def test_a_private_key_is_not_printed():
    assert "private" not in repr(SIGNER)


def test_a_text_without_a_lines_end_is_not_signed():
    with pytest.raises(BadNote, match="line's end"):
        SIGNER.sign("half a line")
