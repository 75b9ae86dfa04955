"""An older copy of the key store is put back: what was destroyed since is destroyed again."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy import select
from tests_support.identities import Identity

from libs.common.bus import reply
from libs.common.bus_service import BusService
from libs.common.errors import NotFound
from libs.common.keys import FindKey
from libs.common.testing import PASSWORD, eventually
from services.audit.contract import DestroyedKeysFound, FindDestroyedKeys
from services.identity.handlers.keys import destroy_keys
from services.identity.keystore import data_keys


@pytest.fixture
async def ledger(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[set[str]]:
    """Ids of keys that audit's ledger names, for identity to ask for."""
    monkeypatch.setenv("TROTH_AUDIT_NATS_PASSWORD", PASSWORD)
    service, router = BusService("audit", identity.parts.service.settings), NatsRouter()
    named: set[str] = set()

    @router.subscriber(FindDestroyedKeys.type, queue="audit")
    async def find(query: FindDestroyedKeys) -> NatsResponse:
        return reply(DestroyedKeysFound(kids=[kid for kid in query.kids if kid in named]))

    service.include(router)
    await service.start()
    yield named
    await service.stop()


def file_of(identity: Identity) -> Path:
    return identity.folder / "keys" / "keys.db"


def copied(identity: Identity) -> Path:
    """A backup of the key store, made now."""
    return Path(shutil.copy(file_of(identity), identity.folder / "older.db"))


async def key_of(identity: Identity, owner: str) -> dict[str, str]:
    query = FindKey(owner=owner, purpose="audit" if owner.startswith("per_") else "content")
    service = "audit" if owner.startswith("per_") else "executor"
    return (await identity.ask(query, f"system:{service}")).value


async def is_refused(identity: Identity, owner: str) -> bool:
    try:
        await key_of(identity, owner)
    except NotFound:
        return True
    return False


@pytest.mark.parametrize("kind", ["person", "organization"])
async def test_a_destroyed_key_that_an_older_copy_has_is_refused_and_no_longer_in_the_file(
    identity: Identity, kind: str
) -> None:
    person = await identity.sign_up("ann")
    owner = person if kind == "person" else await identity.found(person)
    wrapped = (await key_of(identity, owner))["wrapped"].encode()
    older = copied(identity)
    await destroy_keys(identity.parts, owner)
    facts = identity.types().count("keys-destroyed")
    assert wrapped in older.read_bytes()

    await identity.restart(lambda: shutil.copy(older, file_of(identity)))

    # There is no audit here: nothing is waited for, and the first answer is a refusal.
    assert await is_refused(identity, owner)
    assert wrapped not in file_of(identity).read_bytes()
    assert identity.types().count("keys-destroyed") == facts


async def test_keys_of_all_others_are_what_they_were(identity: Identity) -> None:
    ann, bob = await identity.sign_up("ann"), await identity.sign_up("bob")
    organization = await identity.found(bob)
    before = [await key_of(identity, owner) for owner in (bob, organization)]
    older = copied(identity)
    await destroy_keys(identity.parts, ann)

    await identity.restart(lambda: shutil.copy(older, file_of(identity)))

    assert await is_refused(identity, ann)
    assert [await key_of(identity, owner) for owner in (bob, organization)] == before


async def test_what_database_and_key_store_have_both_lost_the_ledger_of_audit_knows(
    identity: Identity, ledger: set[str]
) -> None:
    ann, bob = await identity.sign_up("ann"), await identity.sign_up("bob")
    found = await key_of(identity, ann)
    # As after a restore of both: the log knows of no destruction, the ledger does.
    ledger.add(found["kid"])
    await identity.restart(lambda: None)

    assert await eventually(lambda: is_refused(identity, ann), bool)
    assert found["wrapped"].encode() not in file_of(identity).read_bytes()

    async def recorded() -> list[str]:
        return identity.types()

    await eventually(recorded, lambda types: types[-1] == "keys-destroyed")
    assert not await is_refused(identity, bob)


async def test_whoever_was_forgotten_gets_no_new_key_for_what_comes_late(
    identity: Identity,
) -> None:
    ann = await identity.sign_up("ann")
    older = copied(identity)
    await destroy_keys(identity.parts, ann)

    await identity.restart(lambda: shutil.copy(older, file_of(identity)))

    assert await is_refused(identity, ann)
    rows = select(data_keys.c.wrapped).where(data_keys.c.owner == ann)
    assert await identity.parts.keystore._run(lambda db: set(db.scalars(rows))) == {None}
