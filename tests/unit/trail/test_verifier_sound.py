"""The verifier blames nobody: fifty sound exports, proofs, the vectors, alone in a bare folder."""

import ast
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests_support.trails import KEY, Trail, written

from cli import audit_verify
from libs.trail.canonical import FIELDS
from libs.trail.notes import Signer, split_note
from tools import trail_vectors

PROGRAM = Path(audit_verify.__file__)


@pytest.fixture
def verify(tmp_path, capsys):
    """Runs the verifier over a text; its exit code and what it said."""

    def run(what: str, text: str | bytes, *more: str, key: str = KEY) -> tuple[int, str]:
        file = tmp_path / "given"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        memory = str(tmp_path / "memory.json")
        code = audit_verify.main([what, str(file), "--key", key, "--memory", memory, *more])
        return code, "".join(capsys.readouterr())

    return run


def shapes() -> list[tuple[int, int, int, int]]:
    """seed, size of the tree, first, count: the edges, and others."""
    edges = [(0, 0, 0), (1, 0, 1), (1, 0, 0), (1, 1, 0), (2, 1, 1), (256, 0, 256), (257, 256, 1),
             (300, 0, 0), (300, 300, 0), (300, 255, 2), (64, 0, 32), (64, 32, 32)]  # fmt: skip
    rng = random.Random(4)
    while len(edges) < 50:
        size = rng.randint(1, 300)
        first = rng.randint(0, size)
        edges.append((size, first, rng.randint(0, min(40, size - first))))
    return [(seed, *edge) for seed, edge in enumerate(edges)]


@pytest.mark.parametrize(("seed", "size", "first", "count"), shapes())
def test_a_sound_export_is_never_blamed(verify, seed, size, first, count):
    rng = random.Random(seed)
    trail = Trail(rng).grow(size)
    closed = {"number", *rng.sample(FIELDS, rng.randint(0, len(FIELDS)))}
    forgotten = {seq for seq in range(first, first + count) if rng.random() < 0.3}
    export = trail.export(first, count, closed=closed, forgotten=forgotten)
    code, said = verify("export", written(export), "--trail", trail.id)

    assert (code, said[:6]) == (0, "sound:"), said


@pytest.mark.parametrize("seq", [0, 1, 63, 64, 99, 100])
def test_a_sound_proof_is_never_blamed(verify, seq):
    trail = Trail(random.Random(seq)).grow(101)

    assert verify("proof", trail.proof(seq, closed={"number", "agent"}))[0] == 0


def test_the_published_export_and_proof_are_sound(verify):
    vectors = json.loads(trail_vectors.FILE.read_text())

    assert verify("export", vectors["export"], key=vectors["verifier_key"])[0] == 0
    assert verify("proof", vectors["proof"], key=vectors["verifier_key"])[0] == 0


def test_a_witness_that_signs_too_disturbs_nobody(verify):
    trail = Trail(random.Random(1)).grow(9)
    export = trail.export(2, 3)
    text = split_note(export[-1]["checkpoint"])[0]
    export[-1]["checkpoint"] += Signer.of_seed("witness.example", bytes(32)).signature_line(text)

    assert verify("export", written(export))[0] == 0


def test_a_checkpoint_may_be_signed_by_the_next_key_as_well(verify):
    trail = Trail(random.Random(1)).grow(9)
    export = trail.export(2, 3)
    text = split_note(export[-1]["checkpoint"])[0]
    export[-1]["checkpoint"] += Signer.of_seed("troth/audit", bytes(32)).signature_line(text)

    assert verify("export", written(export))[0] == 0


def test_it_is_one_file_that_runs_alone(tmp_path):
    shutil.copy(PROGRAM, tmp_path / "verify.py")
    trail = Trail(random.Random(1)).grow(9)
    (tmp_path / "export.jsonl").write_bytes(written(trail.export(2, 5)))
    done = subprocess.run(
        [sys.executable, "-I", "verify.py", "export", "export.jsonl", "--key", KEY,
         "--memory", "seen.json"],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={},
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"sound: {trail.id}, 9 entries")


def test_it_imports_only_the_standard_library_and_cryptography():
    found = {
        name.partition(".")[0]
        for tree in ast.walk(ast.parse(PROGRAM.read_text()))
        for name in (
            [alias.name for alias in tree.names] if isinstance(tree, ast.Import)
            else [tree.module or ""] if isinstance(tree, ast.ImportFrom) else []
        )
    }  # fmt: skip

    assert found - sys.stdlib_module_names == {"cryptography"}
