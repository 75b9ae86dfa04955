"""Sealed values open for their owner, purpose and stream only, and never after the key is gone."""

import base64
import json
import os
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from libs.common import once
from libs.common.privacy import (
    FORGOTTEN,
    DataKey,
    Forgotten,
    KeyRing,
    WrappedKey,
    keyed_digest,
    unwrap,
    wrap,
)  # fmt: skip

KEK = b"k" * 32
KEY = DataKey("org_1", "content", "k1", b"s" * 32)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Store:
    """identity's key store: counts who asks; a forgotten owner has no key and gets none."""

    def __init__(self) -> None:
        self.keys: dict[tuple[str, str], WrappedKey] = {}
        self.forgotten: set[str] = set()
        self.asked = 0

    async def __call__(self, owner: str, purpose: str) -> WrappedKey | None:
        self.asked += 1
        if owner in self.forgotten:
            return None
        kid = f"{owner}.{purpose}".replace(".", "-")
        found = WrappedKey(kid, wrap(KEK, kid, os.urandom(32)))
        return self.keys.setdefault((owner, purpose), found)

    def forget(self, owner: str) -> None:
        self.forgotten.add(owner)
        self.keys = {name: key for name, key in self.keys.items() if name[0] != owner}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """`clock.now` is what the cache takes for the time."""
    fake = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(once, "time", SimpleNamespace(monotonic=lambda: fake.now))
    return fake


@given(JSON)
def test_what_was_sealed_opens_in_its_stream(value: Any) -> None:
    assert KEY.open(KEY.seal(value, "s-org_1-a"), "s-org_1-a") == value


def test_another_stream_owner_purpose_or_key_does_not_open_it() -> None:
    sealed = KEY.seal("secret", "s-org_1-a")
    with pytest.raises(ValueError):
        KEY.open(sealed, "s-org_1-b")
    for owner, purpose in (("org_2", "content"), ("org_1", "secrets")):
        with pytest.raises(ValueError):
            DataKey(owner, purpose, "k1", b"s" * 32).open(sealed, "s-org_1-a")
    with pytest.raises(ValueError):
        DataKey("org_1", "content", "k1", b"t" * 32).open(sealed, "s-org_1-a")
    with pytest.raises(Forgotten):
        DataKey("org_1", "content", "k2", b"s" * 32).open(sealed, "s-org_1-a")


def test_no_character_of_a_sealed_value_can_be_changed_left_out_or_added() -> None:
    sealed = KEY.seal({"a": 1}, "s")
    letters = "A-_9!.=\n"
    for i, old in enumerate(sealed):
        changed = [sealed[:i] + new + sealed[i + 1 :] for new in letters if new != old]
        for wrong in (*changed, sealed[:i] + sealed[i + 1 :], sealed[:i] + "!" + sealed[i:]):
            with pytest.raises((ValueError, Forgotten)):
                KEY.open(wrong, "s")


def test_neighbouring_base_64_texts_of_the_same_bytes_are_refused() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for value in ("", "a", "ab"):
        sealed = KEY.seal(value, "s")
        for new in alphabet.replace(sealed[-1], ""):
            with pytest.raises(ValueError):
                KEY.open(sealed[:-1] + new, "s")


@pytest.mark.parametrize("text", ["", "v1", "v1.k1.x", "v2.k1.AAAA.AAAA", "a.b.c.d.e", "v1.k1.ü.ü"])
def test_what_is_no_sealed_text_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        KEY.open(text, "s")


def test_the_sealed_form_shows_neither_the_value_nor_its_base_64() -> None:
    value = "a marker that is long enough"
    sealed = KEY.seal(value, "s")
    for plain in (value, json.dumps(value)):
        for shift in ("", "x", "xx"):
            inner = base64.urlsafe_b64encode((shift + plain).encode()).decode()[4:-4]
            assert inner not in sealed
    assert value not in sealed
    assert KEY.seal(value, "s") != sealed


def test_bytes_are_sealed_as_they_are() -> None:
    raw = bytes(range(256))
    assert KEY.open_bytes(KEY.seal_bytes(raw, "s"), "s") == raw


def test_a_wrapped_key_opens_only_under_its_own_id_and_kek() -> None:
    wrapped = wrap(KEK, "k1", b"d" * 32)
    assert unwrap(KEK, "k1", wrapped) == b"d" * 32
    assert wrapped != wrap(KEK, "k1", b"d" * 32)
    for kek, kid in ((KEK, "k2"), (b"x" * 32, "k1")):
        with pytest.raises(InvalidTag):
            unwrap(kek, kid, wrapped)


async def test_a_key_is_asked_for_once_in_ten_minutes(clock: SimpleNamespace) -> None:
    store = Store()
    ring = KeyRing(KEK, store)
    sealed = await ring.seal("org_1", "content", "s", 5)
    clock.now += 599
    assert await ring.open("org_1", "content", "s", sealed) == 5
    assert (store.asked, ring.at_hand("org_1", "content") is None) == (1, False)
    clock.now += 2
    assert ring.at_hand("org_1", "content") is None
    assert await ring.open("org_1", "content", "s", sealed) == 5
    assert store.asked == 2


async def test_a_forgotten_value_reads_as_forgotten_ten_minutes_later_at_the_latest(
    clock: SimpleNamespace,
) -> None:
    store = Store()
    ring = KeyRing(KEK, store)
    sealed = await ring.seal("per_1", "profile", "s", "Ada")
    store.forget("per_1")
    clock.now += 600
    assert await ring.open("per_1", "profile", "s", sealed) == FORGOTTEN
    assert await ring.open("per_1", "profile", "s", None) is None


async def test_a_dropped_key_is_asked_for_again_at_once_and_only_that_owners() -> None:
    store = Store()
    ring = KeyRing(KEK, store)
    sealed = await ring.seal("per_1", "profile", "s", "Ada")
    await ring.seal("per_2", "profile", "s", "Bob")
    store.forget("per_1")
    ring.drop("per_1")
    assert await ring.open("per_1", "profile", "s", sealed) == FORGOTTEN
    assert ring.at_hand("per_2", "profile") is not None


async def test_nothing_is_sealed_for_somebody_forgotten_and_no_second_key_is_made() -> None:
    store = Store()
    ring = KeyRing(KEK, store)
    await ring.seal("per_1", "profile", "s", "Ada")
    store.forget("per_1")
    ring.drop("per_1")
    with pytest.raises(Forgotten):
        await ring.seal("per_1", "profile", "s", "late")
    assert store.keys == {}


def test_digests_are_keyed_and_differ_by_use() -> None:
    other = DataKey("org_2", "content", "k1", b"t" * 32)
    assert KEY.digest("a", "label") == KEY.digest(b"a", "label")
    assert len({KEY.digest("a", "label"), KEY.digest("a", "key"), other.digest("a", "label")}) == 3
    assert keyed_digest(b"1", "a") != keyed_digest(b"2", "a")
