"""Proof files and the objects of an export, as docs/trail-format.md writes them."""

import json

import pytest

from libs.trail import canonical, exporting
from libs.trail.notes import BadNote, unb64
from libs.trail.proofs import Proof

SECRET = bytes(range(32))
SALTS = dict(zip(canonical.FIELDS, canonical.salts(SECRET), strict=True))
VALUES = ("evt_1", "a.event.b", None, "a", "1:7", *("x",) * 7, "{}")
COMMITTED = canonical.commitments(SECRET, VALUES)
CHECKPOINT = "troth/t\n8\nAAAA\n\n— troth/audit AAAA\n"


def test_a_proof_file_reads_as_it_was_written():
    proof = Proof(5, [bytes(32), bytes(31) + b"\x01"], CHECKPOINT, {"seq": 5, "class": "ü"})

    assert Proof.parse(str(proof)) == proof


def test_a_proof_file_is_laid_out_as_c2sp_says():
    text = str(Proof(5, [bytes(32)], CHECKPOINT))

    assert text == f"c2sp.org/tlog-proof@v1\nindex 5\n{'A' * 43}=\n\n{CHECKPOINT}"


@pytest.mark.parametrize(
    "text",
    [
        "", "c2sp.org/tlog-proof@v2\nindex 5\n\nx", "c2sp.org/tlog-proof@v1\n\nx",
        "c2sp.org/tlog-proof@v1\nindex -5\n\nx", "c2sp.org/tlog-proof@v1\nindex 5\nAAAA\n\nx",
        "c2sp.org/tlog-proof@v1\nextra AAAA\nindex 5\n\nx",
        "c2sp.org/tlog-proof@v1\nextra MQ==\nindex 5\n\nx", "c2sp.org/tlog-proof@v1\nindex 5\n",
    ],
)  # fmt: skip
def test_a_text_that_is_no_proof_file_is_refused(text):
    with pytest.raises(BadNote):
        Proof.parse(text)


def test_a_shown_field_opens_its_commitment_and_a_closed_one_says_nothing():
    fields = exporting.shown(VALUES, COMMITTED, SALTS, closed={"number", "actor"})
    committed = dict(zip(canonical.FIELDS, COMMITTED, strict=True))

    assert fields["number"].keys() == fields["actor"].keys() == {"commitment"}
    for name, field in fields.items():
        assert unb64(str(field["commitment"])) == committed[name]
        if "salt" in field:
            salt = unb64(str(field["salt"]))
            assert canonical.commitment(name, salt, field["value"]) == committed[name]


def test_the_number_is_closed_unless_said_otherwise():
    closed = [
        name
        for name, field in exporting.shown(VALUES, COMMITTED, SALTS).items()
        if "salt" not in field
    ]

    assert closed == ["number"]


def test_a_line_is_one_object_in_utf_8_with_its_end():
    line = exporting.line(exporting.forgotten(3, 4, "other", bytes(32), bytes(32)))

    assert line.endswith(b"}\n") and line.count(b"\n") == 1
    assert list(json.loads(line)) == ["seq", "day", "class", "leaf", "body"]
    assert "ü\\n".encode() in exporting.line({"value": "ü\n"})


def test_what_a_forgotten_person_would_open_stays_closed():
    kept = {name: salt for name, salt in SALTS.items() if name != "address"}

    assert exporting.shown(VALUES, COMMITTED, kept)["address"].keys() == {"commitment"}
