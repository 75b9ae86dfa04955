"""The key store keeps keys, once."""

import asyncio
import stat
import threading
from pathlib import Path

import pytest

from libs.common.privacy import Forgotten, unwrap
from services.identity.keystore import KeyStore

KEK = b"k" * 32


def store_in(folder: Path) -> KeyStore:
    return KeyStore(f"sqlite:///{folder / 'keys' / 'keys.db'}", KEK)


async def test_a_key_is_made_once_and_found_by_another_process(tmp_path: Path) -> None:
    first = await store_in(tmp_path).ensure("org_1", ("content", "secrets"))
    second = await store_in(tmp_path).ensure("org_1", ("secrets", "content"))
    assert first == second
    found = await store_in(tmp_path).fetch("org_1", "content")
    assert found is not None
    assert found.kid == first["content"]
    assert len(unwrap(KEK, found.kid, found.wrapped)) == 32


async def test_keys_do_not_wait_behind_what_else_needs_threads(tmp_path: Path) -> None:
    go_on = threading.Event()
    others = [asyncio.create_task(asyncio.to_thread(go_on.wait)) for _ in range(64)]
    try:
        made = await asyncio.wait_for(store_in(tmp_path).ensure("org_1", ("content",)), 30)
    finally:
        go_on.set()
        await asyncio.gather(*others)
    assert made["content"]


async def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    await store_in(tmp_path).ensure("org_1", ("content",))
    file = tmp_path / "keys" / "keys.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_a_destroyed_key_is_gone_from_the_file_and_never_made_again(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    made = await store.ensure("per_1", ("profile",))
    found = await store.fetch("per_1", "profile")
    assert found is not None
    assert await store.destroy("per_1") == [made["profile"]]
    assert await store.fetch("per_1", "profile") is None
    with pytest.raises(Forgotten):
        await store.ensure("per_1", ("profile",))
    assert await store.destroy("per_1") == [made["profile"]]
    assert await store.destroy("per_2") == []
    assert found.wrapped.encode() not in (tmp_path / "keys" / "keys.db").read_bytes()


async def test_a_purpose_younger_than_its_owner_gets_a_key_when_it_is_asked_for(
    tmp_path: Path,
) -> None:
    store = store_in(tmp_path)
    await store.ensure("per_1", ("profile",))
    assert await store.fetch("per_1", "audit") is None
    made = await store.fetch_late("per_1", "audit")
    assert made is not None
    assert await store.fetch_late("per_1", "audit") == made == await store.fetch("per_1", "audit")
    assert await store.fetch_by_id(made.kid, "audit") == ("per_1", made)
    assert await store.fetch_by_id(made.kid, "profile") is None


async def test_who_is_forgotten_or_unknown_gets_no_late_key(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    kids = await store.ensure("per_1", ("profile", "audit"))
    await store.destroy("per_1")
    assert await store.fetch_late("per_1", "audit") is None
    assert await store.fetch_late("per_1", "another") is None
    assert await store.fetch_by_id(kids["audit"], "audit") is None
    assert await store.fetch_late("per_2", "audit") is None


async def test_an_unknown_owner_has_no_key(tmp_path: Path) -> None:
    assert await store_in(tmp_path).fetch("org_9", "content") is None
