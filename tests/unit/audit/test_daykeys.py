"""The day keys: forward only, in two places, whatever happens between them."""

import json
import stat
from pathlib import Path
from uuid import UUID

import pytest

from services.audit import dayfile
from services.audit.daykeys import KEPT_DAYS, STEP, DayForgotten, DayKeys, KeysDiffer, hkdf

TODAY = 20_800
TRAIL = UUID(int=7)


@pytest.fixture
def places(tmp_path: Path) -> list[Path]:
    return [tmp_path / "one" / "days", tmp_path / "two" / "days"]


def opened(places: list[Path]) -> DayKeys:
    keys = DayKeys(places, lambda: TODAY)
    keys.refresh()
    return keys


def test_a_new_ratchet_begins_with_the_oldest_day_that_is_kept(places: list[Path]) -> None:
    keys = opened(places)
    assert keys.oldest == TODAY - KEPT_DAYS + 1
    assert places[0].read_bytes() == places[1].read_bytes()


def test_the_files_are_for_their_owner_only(places: list[Path]) -> None:
    opened(places)
    for place in places:
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_later_days_follow_from_the_stored_key_in_any_order_and_after_a_restart(
    places: list[Path],
) -> None:
    keys = opened(places)
    some = {day: keys.of(day) for day in (TODAY, keys.oldest, TODAY - 3, TODAY + 2)}
    again = opened(places)
    for day, key in some.items():
        assert again.of(day).origin == key.origin
        assert again.of(day).blind(b"x") == key.blind(b"x")
    assert len({key.origin for key in some.values()}) == 4


def test_every_use_and_every_trail_has_a_key_of_its_own(places: list[Path]) -> None:
    key = opened(places).of(TODAY)
    sealed = key.cipher(TRAIL).encrypt(b"n" * 12, b"said", None)
    assert opened(places).of(TODAY).cipher(TRAIL).decrypt(b"n" * 12, sealed, None) == b"said"
    assert key.cipher(UUID(int=8)).encrypt(b"n" * 12, b"said", None) != sealed
    assert opened(places).of(TODAY - 1).cipher(TRAIL).encrypt(b"n" * 12, b"said", None) != sealed


def test_stepping_forgets_the_days_before_and_no_other(places: list[Path]) -> None:
    keys = opened(places)
    first, kept = keys.oldest, keys.of(TODAY).origin
    assert keys.forget_until(first + 3) == 3
    assert keys.oldest == first + 3
    for day in (first, first + 2):
        with pytest.raises(DayForgotten):
            keys.of(day)
    assert keys.of(TODAY).origin == kept == opened(places).of(TODAY).origin
    assert keys.forget_until(first) == 0
    assert opened(places).oldest == first + 3


def test_what_is_stored_after_a_step_cannot_give_the_day_before(places: list[Path]) -> None:
    keys = opened(places)
    first = dayfile.read(places[0])
    assert first is not None
    keys.forget_until(first.day + 1)
    for place in places:
        after = dayfile.read(place)
        assert after == dayfile.DayFile(first.day + 1, hkdf(first.key, STEP))
        raw = place.read_bytes()
        assert json.loads(raw).keys() == {"format", "day", "key", "check"}
        assert first.key not in raw
    assert [p.name for p in sorted(places[0].parent.iterdir())] == ["days", "days.lock"]


def test_the_bytes_of_the_replaced_file_are_overwritten(places: list[Path]) -> None:
    keys = opened(places)
    old = places[0].read_bytes()
    with places[0].open("rb") as still_open:
        keys.forget_until(keys.oldest + 1)
        left = still_open.read()
    assert len(left) == len(old)
    assert json.loads(old)["key"].encode() not in left


@pytest.mark.parametrize("behind", [0, 1])
def test_after_a_crash_between_the_two_both_are_brought_to_the_later_day(
    places: list[Path], behind: int
) -> None:
    keys = opened(places)
    before = places[behind].read_bytes()
    keys.forget_until(keys.oldest + 2)
    later = places[1 - behind].read_bytes()
    places[behind].write_bytes(before)
    assert opened(places).oldest == keys.oldest
    assert places[behind].read_bytes() == places[1 - behind].read_bytes() == later


def test_a_crash_in_the_middle_of_a_step_is_put_right_at_the_next_start(
    places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = opened(places)
    first, real = keys.oldest, dayfile.replace

    def once(place: Path, file: dayfile.DayFile) -> None:
        if place == places[1]:
            raise OSError("the power went")
        real(place, file)

    with monkeypatch.context() as patch:
        patch.setattr("services.audit.daykeys.replace", once)
        with pytest.raises(OSError, match="the power went"):
            keys.forget_until(first + 1)
    again = opened(places)
    assert again.oldest == first + 1
    second = dayfile.read(places[1])
    assert second is not None
    assert second.day == first + 1


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("how", ["lost", "empty", "cut", "changed"])
def test_a_damaged_or_lost_place_is_made_again_from_the_other(
    places: list[Path], place: int, how: str
) -> None:
    keys = opened(places)
    origin, raw = keys.of(TODAY).origin, places[place].read_bytes()
    if how == "lost":
        places[place].unlink()
    else:
        damaged = {"empty": b"", "cut": raw[:40], "changed": raw.replace(b'"day":2', b'"day":1')}
        places[place].write_bytes(damaged[how])
    assert opened(places).of(TODAY).origin == origin
    assert places[0].read_bytes() == places[1].read_bytes() == raw


def test_when_both_places_are_lost_a_new_ratchet_begins(places: list[Path]) -> None:
    before = opened(places).of(TODAY).origin
    for place in places:
        place.unlink()
    assert opened(places).of(TODAY).origin != before


def test_two_different_ratchets_are_refused(places: list[Path], tmp_path: Path) -> None:
    opened(places)
    other = [tmp_path / "three" / "days", tmp_path / "four" / "days"]
    opened(other)
    places[1].write_bytes(other[0].read_bytes())
    with pytest.raises(KeysDiffer, match="different ratchets"):
        opened(places)


def test_what_a_crash_left_half_written_is_removed(places: list[Path]) -> None:
    opened(places)
    left = places[0].with_name(".days-abc")
    left.write_bytes(places[0].read_bytes())
    opened(places).forget_until(TODAY)
    assert not left.exists()


def test_a_process_sees_the_step_of_another(places: list[Path]) -> None:
    mine, theirs = opened(places), opened(places)
    theirs.forget_until(theirs.oldest + 5)
    mine.refresh()
    assert mine.oldest == theirs.oldest
    with pytest.raises(DayForgotten):
        mine.of(theirs.oldest - 1)
