"""The verifier names every corruption with its place: over two hundred of them, and any byte."""

import json
import random
from collections.abc import Callable

import pytest
from tests_support.corruptions import CASES, entry_place, line_of, sound
from tests_support.trails import KEY, Trail, written

from cli import audit_verify
from libs.trail.notes import b64


@pytest.fixture
def verify(tmp_path, capsys):
    def run(text: bytes, what: str = "export") -> tuple[int, str]:
        (tmp_path / "given").write_bytes(text)
        memory = tmp_path / "memory.json"
        code = audit_verify.main(
            [what, str(tmp_path / "given"), "--key", KEY, "--memory", str(memory)]
        )
        assert not code or not memory.exists(), "what is wrong was remembered"
        return code, capsys.readouterr().out

    return run


def test_they_are_more_than_two_hundred_and_the_export_is_sound_without_them(verify):
    assert len(CASES) > 200
    assert verify(written(sound()))[0] == 0


@pytest.mark.parametrize(
    ("place", "change"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_corruption_is_named_with_its_place(verify, place, change):
    objects = sound()
    text = change(objects) or written(objects)
    code, said = verify(text)

    assert (code, said[: len(place)]) == (1, place), said


@pytest.mark.parametrize("seed", range(200))
def test_a_flipped_bit_anywhere_is_blamed_at_its_line(verify, seed):
    rng, text = random.Random(seed), bytearray(written(sound()))
    at = rng.randrange(len(text))
    line = text.count(b"\n", 0, at) + 1
    text[at] ^= 1 << rng.randrange(8)
    code, said = verify(bytes(text))

    assert code == 1, text[at - 20 : at + 20]
    assert f"line {line}" in said or f"line {line + 1}" in said, said


def test_many_corruptions_are_all_named(verify):
    objects = sound()
    for seq in (21, 26, 31):
        objects[line_of(seq) - 1]["fields"]["id"]["value"] = "other"
    _, said = verify(written(objects))

    assert [line.partition(":")[0] for line in said.splitlines()] == [
        f"{entry_place(seq)}field id" for seq in (21, 26, 31)
    ]


PROVED = Trail(random.Random(3)).grow(40)
PROOF = PROVED.proof(17, closed={"number"})
ENTRY_17 = "line 2, entry '17'"


def another_entry(seq: int, actor: str | None = None, day: int | None = None) -> bytes:
    """The `extra` of an entry, changed."""
    shown = PROVED.shown(seq, {"number"})
    if actor is not None:
        shown["fields"]["actor"]["value"] = actor
    return json.dumps(shown | ({} if day is None else {"day": day})).encode()


@pytest.mark.parametrize("seed", range(60))
def test_a_flipped_bit_in_a_proof_file_is_blamed(verify, seed):
    rng, text = random.Random(seed), bytearray(PROOF.encode())
    text[rng.randrange(len(text))] ^= 1 << rng.randrange(8)
    code, said = verify(bytes(text), "proof")

    assert code == 1 and said.startswith("line "), said


def with_line(number: int, change: Callable[[str], str]) -> str:
    lines = PROOF.split("\n")
    lines[number - 1] = change(lines[number - 1])
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("number", "change", "place"),
    [
        (1, lambda line: line.replace("v1", "v2"), "line 1: is no proof file"),
        (2, lambda line: "extra " + b64(another_entry(17, actor="x")), ENTRY_17 + ", field actor:"),
        (2, lambda line: "extra " + b64(another_entry(17, day=1)), ENTRY_17 + ", field leaf:"),
        (2, lambda line: "extra " + b64(another_entry(18)), "line 3 and below, field index:"),
        (2, lambda line: "extra bm8gSlNPTg==", ENTRY_17 + ": is no JSON"),
        (3, lambda line: "index 18", "line 3 and below, field index: is not 17"),
        (5, lambda line: b64(bytes(32)), "line 3 and below: the proof leads to another root"),
        (6, lambda line: "", "line 7, field checkpoint:"),
        (12, lambda line: "41", "line 11, field checkpoint: the signature"),
        (11, lambda line: line[:-1] + "t", "line 11, field checkpoint: the signature"),
    ],
)
def test_what_is_wrong_in_a_proof_file_is_named(verify, number, change, place):
    code, said = verify(with_line(number, change).encode(), "proof")

    assert (code, said[: len(place)]) == (1, place), said
