"""Differences of values, and how much of them an answer takes."""

from services.executor.differences import Room


def test_values_have_a_place_until_an_answer_is_full() -> None:
    room = Room(20)

    assert room.given("0123456789") == "0123456789"
    assert room.given("0123456789") is None
    assert room.given([1, 2]) == [1, 2]


def test_who_may_see_no_values_has_no_room_for_any() -> None:
    room = Room(0)

    assert (room.given(1), room.given(""), room.given(None)) == (None, None, None)
