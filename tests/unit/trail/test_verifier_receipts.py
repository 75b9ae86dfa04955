"""Receipts of forgetting: alone, held to a proof and to an export; what is wrong is named."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests_support.trails import KEY, TRAIL, Trail, copied, written

from cli import audit_verify
from libs.trail.notes import Signer, b64, split_note

DAYS = ("2026-08-01", "2026-08-02", "2026-08-03")
NO_ROOT = "receipt receipt-0: names no root: hold the proof of its event to it\n"
HOLD = "hold_0123456789abcdefghjkmnpqrs"
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Of a text, and receipts that it is held to; each time with a memory of its own."""

    def run(what: str, text: str | bytes, *receipts: str) -> tuple[int, str]:
        given, runs = [], len(list(tmp_path.glob("memory*")))
        (tmp_path / "given").write_bytes(text if isinstance(text, bytes) else text.encode())
        for n, receipt in enumerate(receipts):
            (tmp_path / f"receipt-{n}").write_text(receipt)
            given += ["--receipt", str(tmp_path / f"receipt-{n}")]
        memory = ["--memory", str(tmp_path / f"memory-{runs}")]
        code = audit_verify.main([what, str(tmp_path / "given"), "--key", KEY, *given, *memory])
        return code, "".join(capsys.readouterr()).replace(str(tmp_path) + "/", "")

    return run


def forgetful(seed: int, entries: int | None = 7) -> tuple[Trail, list[str]]:
    """A trail in which three days were forgotten and a hold was lifted, and the receipts."""
    trail, receipts = Trail(random.Random(seed)), []
    for day in DAYS:
        trail.grow(trail.rng.randint(1, 40))
        late = trail.rng.randint(0, 1)  # others were entered since the checkpoint
        receipts.append(trail.forget_day(day, entries, len(trail.leaves) - late))
    receipts.append(trail.grow(3).end_hold(HOLD))
    return trail.grow(5), receipts


@pytest.mark.parametrize("seed", range(20))
def test_sound_receipts_are_never_blamed(verify: Run, seed: int) -> None:
    trail, (*days, hold) = forgetful(seed, None if seed % 2 else 7)
    size = len(trail.leaves)
    for first in (0, 1, size // 3):
        within = [r for r in days if int(r.splitlines()[5].partition(" ")[0]) >= max(first, 1)]
        gone = {seq for seq in range(size) if trail.rng.random() < 0.3}
        export = written(trail.export(first, size - first, forgotten=gone))

        assert verify("export", export, *within)[0] == 0
    for receipt in (*days, hold):
        assert verify("receipt", receipt)[0] == 0
        assert verify("proof", trail.proof(event_of(trail, receipt)), receipt)[0] == 0


def event_of(trail: Trail, receipt: str) -> int:
    """The number of the entry that tells what the receipt says."""
    id_ = receipt.splitlines()[1]
    return next(e.seq for e in trail.entries if id_ in (e.values[-1] or ""))


def test_a_receipt_of_a_trail_without_a_checkpoint_is_sound(verify: Run) -> None:
    trail = Trail(random.Random(1))
    receipt = trail.forget_day(DAYS[0], None)

    assert verify("receipt", receipt) == (
        0, f"sound: {TRAIL}, 0 entries, root {b64(trail.root(0))}\n"
    )  # fmt: skip
    assert verify("proof", trail.grow(3).proof(0), receipt)[0] == 0


def test_the_answer_in_json_is_verified_like_the_note_in_it(verify: Run) -> None:
    trail, receipts = forgetful(5)
    answer = json.dumps({"id": receipts[0].splitlines()[1], "note": receipts[0]})

    assert verify("receipt", answer) == verify("receipt", receipts[0])
    assert verify("proof", trail.proof(event_of(trail, receipts[0])), answer)[0] == 0
    assert verify("receipt", json.dumps({"note": receipts[0].replace("7", "8")}))[0] == 1
    assert verify("receipt", json.dumps({"id": "rcp_1"}))[0] == 1


def changed_letters() -> Iterator[tuple[str, str]]:
    _, receipts = forgetful(3)
    for name, receipt in (("day", receipts[0]), ("hold", receipts[-1])):
        for at in range(0, len(receipt), 3):
            yield f"{name}-{at}", receipt[:at] + chr(ord(receipt[at]) ^ 1) + receipt[at + 1 :]


@pytest.mark.parametrize(
    "text", [case[1] for case in changed_letters()], ids=[case[0] for case in changed_letters()]
)
def test_a_changed_letter_of_a_receipt_is_blamed(verify: Run, text: str) -> None:
    code, said = verify("receipt", text)

    assert (code, said[:32]) == (1, "receipt given, field checkpoint:"), said


def signed(text: str) -> str:
    return Trail(random.Random(0)).signer.sign(text)


LIES = (
    ("trail", 2, lambda line: TRAIL[:-1] + "0", "data"),
    ("day", 3, lambda line: f"day {DAYS[2]}", "data"),
    ("size", 5, lambda line: "9 " + line.partition(" ")[2], "data"),
    ("root", 5, lambda line: line.partition(" ")[0] + " " + b64(bytes(32)), "data"),
    ("count", 6, lambda line: "8", "data"),
    ("no-count", 6, lambda line: "-", "data"),
    ("no-tree", 5, lambda line: "-", "data"),
)


@pytest.mark.parametrize(("at", "change"), [lie[1:3] for lie in LIES], ids=[one[0] for one in LIES])
def test_a_signed_receipt_that_says_something_else_than_its_event_is_named(
    verify: Run, at: int, change: Callable[[str], str]
) -> None:
    trail, receipts = forgetful(5)
    lines = split_note(receipts[1])[0].splitlines()
    lines[at] = change(lines[at])
    lie, seq = signed("".join(f"{line}\n" for line in lines)), event_of(trail, receipts[1])
    proof = verify("proof", trail.proof(seq), lie)
    export = verify("export", written(trail.export(0, len(trail.leaves))), lie)

    says = "field data: is not the event of receipt-0, or says something else\n"
    assert proof == (1, f"line 2, entry '{seq}', {says}")
    named = f"line {seq + 2}, entry {seq}, {says}"
    assert export == (1, NO_ROOT if lines[5] == "-" else named)


@pytest.mark.parametrize("name", ["entries", "size", "root", "day"])
def test_an_event_that_says_something_else_than_its_receipt_is_named(
    verify: Run, name: str
) -> None:
    trail, receipts = forgetful(6)
    seq = event_of(trail, receipts[0])
    entry = trail.entries[seq]
    data = json.loads(entry.values[-1] or "") | {name: "other"}
    trail.entries[seq] = other = type(entry)(
        seq, entry.day, entry.class_, entry.secret, (*entry.values[:-1], json.dumps(data))
    )
    trail.leaves[seq] = other.leaf(trail.id)
    code, said = verify("export", written(trail.export(0, len(trail.leaves))), receipts[0])

    assert code == 1
    assert said.startswith(
        f"line {seq + 2}, entry {seq}, field data: is not the event of receipt-0"
    )


def test_a_tree_that_is_not_the_one_of_a_receipt_is_named_though_the_detail_is_forgotten(
    verify: Run,
) -> None:
    _, receipts = forgetful(7)
    other, _ = forgetful(8)
    other.grow(60)
    size = len(other.leaves)
    export = written(other.export(0, size, forgotten=set(range(size))))
    first = receipts[0].splitlines()[5].partition(" ")[0]

    assert verify("export", export, receipts[0]) == (
        1, f"line {size + 2}: the first {first} are not here as receipt-0 says\n"
    )  # fmt: skip


def test_an_export_that_does_not_reach_what_a_receipt_says_is_no_proof_of_it(verify: Run) -> None:
    trail, receipts = forgetful(9)
    first = event_of(trail, receipts[-1]) + 1
    code, said = verify("export", written(trail.export(first, 2)), receipts[0])

    assert code == 1 and "are not here as receipt-0 says" in said


def test_a_receipt_without_a_root_is_held_to_no_export(verify: Run) -> None:
    trail, receipts = forgetful(9)
    export = written(trail.export(0, len(trail.leaves)))

    assert verify("export", export, receipts[-1]) == (1, NO_ROOT)


def test_the_proof_of_another_entry_is_no_proof_of_a_receipt(verify: Run) -> None:
    trail, receipts = forgetful(10)
    for seq in (0, event_of(trail, receipts[1])):
        code, said = verify("proof", trail.proof(seq), receipts[0])

        assert code == 1 and "is not the event of receipt-0" in said


def test_a_receipt_of_another_signer_or_another_kind_of_note_is_named(verify: Run) -> None:
    trail, receipts = forgetful(11)
    text = split_note(receipts[0])[0]
    other = Signer.of_seed("troth/audit", bytes(32)).sign(text)
    says = "receipt given, field checkpoint: "

    assert verify("receipt", other)[1].startswith(says + "troth/audit has not signed it")
    assert verify("receipt", trail.checkpoint())[1] == says + "says nothing such of this signer\n"
    digest = signed(text.replace("/receipts", "/digests"))
    assert verify("receipt", digest)[1] == says + "says nothing such of this signer\n"
    assert verify("export", written(trail.export(0, 9)), other)[1].startswith("receipt receipt-0,")


def test_what_a_receipt_says_of_the_tree_is_held_to_what_was_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trail, receipts = forgetful(12)
    (tmp_path / "receipt").write_text(receipts[1])
    size = int(receipts[1].splitlines()[5].partition(" ")[0])
    for root, code in ((trail.root(size), 0), (bytes(32), 1)):
        memory = tmp_path / f"memory-{code}"
        memory.write_text(json.dumps({TRAIL: [size, root.hex()]}))
        given = ["receipt", str(tmp_path / "receipt"), "--key", KEY, "--memory", str(memory)]

        assert audit_verify.main(given) == code
    assert "another root than is remembered" in capsys.readouterr().out
    assert copied(json.loads(memory.read_text())) == {TRAIL: [size, bytes(32).hex()]}


def test_a_live_instance_is_not_held_to_a_receipt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "receipt").write_text(forgetful(13)[1][0])
    given = ["live", "http://127.0.0.1:1", "--trail", TRAIL, "--key", KEY]
    held = ["--receipt", str(tmp_path / "receipt"), "--memory", str(tmp_path / "memory")]

    assert audit_verify.main(given + held) == 2
    assert "no --receipt" in capsys.readouterr().err
