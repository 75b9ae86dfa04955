"""An entry's bytes: what a leaf depends on, and what it says of values that stay closed."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests_support import trail_reference as reference

from libs.trail import canonical

TRAIL = "trail_0123456789abcdefghjkmnpqrs"
SECRET = bytes(range(32))
texts = st.none() | st.text(st.characters(codec="utf-8"), max_size=40)
all_values = st.tuples(*[texts] * len(canonical.FIELDS))


def test_the_fields_are_those_of_the_page():
    assert list(canonical.FIELDS) == reference.FIELDS.split()


@given(st.binary(min_size=32, max_size=32), all_values)
def test_two_implementations_agree_on_every_body(secret, values):
    named = dict(zip(canonical.FIELDS, values, strict=True))

    assert canonical.body(secret, values) == reference.body_of(secret, named)


@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.sampled_from(canonical.CLASSES),
    st.binary(min_size=32, max_size=32),
)
def test_two_implementations_agree_on_every_leaf(seq, day, class_, body):
    entry = reference.entry_of(TRAIL, seq, day, class_, body)

    assert canonical.leaf(TRAIL, seq, day, class_, body) == reference.leaf_of(entry)


def test_a_salt_opens_its_own_field_only():
    values = ["same"] * len(canonical.FIELDS)

    assert len(set(canonical.salts(SECRET))) == len(canonical.FIELDS)
    assert len(set(canonical.commitments(SECRET, values))) == len(canonical.FIELDS)


def test_no_value_and_an_empty_text_are_different():
    salt = canonical.salts(SECRET)[0]

    assert canonical.commitment("id", salt, None) != canonical.commitment("id", salt, "")


def test_a_field_alone_is_committed_as_among_all():
    values = [str(at) for at in range(len(canonical.FIELDS))]
    alone = [
        canonical.commitment(name, salt, value)
        for name, salt, value in zip(canonical.FIELDS, canonical.salts(SECRET), values, strict=True)
    ]

    assert alone == canonical.commitments(SECRET, values)


@pytest.mark.parametrize("at", range(len(canonical.FIELDS)))
def test_every_value_changes_the_body(at):
    changed: list[str | None] = [None] * len(canonical.FIELDS)
    changed[at] = "x"

    assert canonical.body(SECRET, changed) != canonical.body(SECRET, canonical.NO_VALUES)


def test_trail_number_day_class_and_body_all_change_the_leaf():
    leaves = {
        canonical.leaf(TRAIL, 1, 2, "other", bytes(32)),
        canonical.leaf(TRAIL + "x", 1, 2, "other", bytes(32)),
        canonical.leaf(TRAIL, 2, 2, "other", bytes(32)),
        canonical.leaf(TRAIL, 1, 3, "other", bytes(32)),
        canonical.leaf(TRAIL, 1, 2, "error", bytes(32)),
        canonical.leaf(TRAIL, 1, 2, "other", bytes(31) + b"\x01"),
    }

    assert len(leaves) == 6


def test_what_the_page_does_not_know_is_no_entry():
    with pytest.raises(KeyError):
        canonical.leaf(TRAIL, 1, 2, "gossip", bytes(32))
    with pytest.raises(OverflowError):
        canonical.leaf(TRAIL, -1, 2, "other", bytes(32))
    with pytest.raises(ValueError, match="32 bytes"):
        canonical.salts(b"short")
    with pytest.raises(ValueError, match="shorter"):
        canonical.body(SECRET, ["too", "few"])
    with pytest.raises(UnicodeEncodeError):
        canonical.commitment("id", bytes(32), "\ud800")


def test_two_secrets_are_never_the_same():
    assert canonical.new_secret() != canonical.new_secret()


def test_time_and_day_are_those_of_utc():
    east = timezone(timedelta(hours=9))
    moment = datetime(2026, 11, 23, 1, 2, 3, 456_789, east)

    assert canonical.time_of(moment) == "2026-11-22T16:02:03.456Z"
    assert canonical.day_of(moment) == canonical.day_of(datetime(2026, 11, 22, tzinfo=UTC)) == 20779
