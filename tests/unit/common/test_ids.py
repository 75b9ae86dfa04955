"""Ids: ordered by time, readable both ways, derived from names without collisions of parts."""

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common import ids


def test_a_new_id_is_a_uuid_of_version_7_with_the_time_in_front() -> None:
    before = time.time_ns() // 1_000_000
    made = ids.uuid7()
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after


def test_ids_made_later_sort_behind_when_the_clock_has_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []
    for ms in (1_000, 1_001, 2_000_000, 1_900_000_000_000):
        monkeypatch.setattr(time, "time_ns", lambda ms=ms: ms * 1_000_000)
        made.append(ids.new("evt"))
    assert made == sorted(made)


def test_a_thousand_ids_of_one_moment_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_900_000_000_000_000_000)
    assert len({ids.uuid7() for _ in range(1000)}) == 1000


@given(st.uuids())
def test_a_public_id_holds_its_uuid(value: uuid.UUID) -> None:
    text = ids.public("evt", value)
    assert text.startswith("evt_")
    assert len(text) == 30
    assert ids.private(text) == value


@pytest.mark.parametrize(
    "text", ["", "evt", "evt_", "evt_short", "evt_" + "i" * 26, "evt_" + "A" * 26,
             "evt_" + "z" * 26, "evt_8" + "0" * 25],
)  # fmt: skip
def test_what_is_no_public_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        ids.private(text)


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_derived_ids_are_equal_only_for_equal_parts(one: list[str], two: list[str]) -> None:
    assert (ids.derived("wf", *one) == ids.derived("wf", *two)) is (one == two)


def test_parts_that_join_to_the_same_text_give_different_ids() -> None:
    assert ids.derived("wf", "a", "bc") != ids.derived("wf", "ab", "c")
    assert ids.derived("wf", "a\x001:b") != ids.derived("wf", "a", "b")
    assert ids.derived_uuid("a") == ids.private(ids.derived("exe", "a"))
