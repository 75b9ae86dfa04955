"""What the signer remembers outlives the process, a crash within a line, and its own length."""

import stat
from pathlib import Path

import pytest

from services.audit import memory
from services.audit.memory import Memory, Refusal, Seen

ONE, TWO = f"trail_{1:026}", f"trail_{2:026}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "seen"


def again(place: Path) -> Memory:
    found = Memory(place)
    found.refresh()
    return found


def test_the_last_line_of_a_trail_counts(place: Path) -> None:
    kept = again(place)
    kept.remember(ONE, Seen(3, b"a" * 32))
    kept.remember(TWO, Seen(1, b"b" * 32))
    kept.remember(ONE, Seen(9, b"c" * 32))
    for found in (kept, again(place)):
        assert (found.last(ONE), found.last(TWO)) == (Seen(9, b"c" * 32), Seen(1, b"b" * 32))
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_a_refusal_stays_until_it_is_taken_back(place: Path) -> None:
    kept = again(place)
    kept.remember(ONE, Seen(3, b"a" * 32))
    kept.refuse(ONE, Refusal("smaller", 2, 3))
    assert again(place).refusals == {ONE: Refusal("smaller", 2, 3)}
    assert again(place).last(ONE) == Seen(3, b"a" * 32)
    kept.resume(ONE)
    assert again(place).refused(ONE) is None


def test_what_another_process_wrote_is_seen(place: Path) -> None:
    kept, other = again(place), again(place)
    other.remember(ONE, Seen(3, b"a" * 32))
    assert kept.last(ONE) is None
    kept.refresh()
    assert kept.last(ONE) == Seen(3, b"a" * 32)


def test_a_line_that_a_crash_cut_is_taken_away(place: Path) -> None:
    again(place).remember(ONE, Seen(3, b"a" * 32))
    whole = place.read_bytes()
    place.write_bytes(whole + f"{ONE} 9 YWFh".encode())
    kept = again(place)
    assert kept.last(ONE) == Seen(3, b"a" * 32)
    kept.remember(TWO, Seen(1, b"b" * 32))
    assert place.read_bytes().startswith(whole + TWO.encode())


def test_the_file_is_shortened_and_says_the_same(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = again(place)
    for size in range(50):
        kept.remember(ONE, Seen(size, bytes([size]) * 32))
    kept.refuse(TWO, Refusal("gone", 0, 7))
    monkeypatch.setattr(memory, "LINES_MIN", 10)
    fresh = again(place)
    assert len(place.read_text().splitlines()) == 2
    for found in (fresh, again(place)):
        assert found.last(ONE) == Seen(49, bytes([49]) * 32)
        assert found.refusals == {TWO: Refusal("gone", 0, 7)}
    fresh.remember(ONE, Seen(60, b"z" * 32))
    assert again(place).last(ONE) == Seen(60, b"z" * 32)
