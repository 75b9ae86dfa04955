"""Two at once: one effect, and the other one gets a clear answer."""

import asyncio

import pytest
from sqlalchemy import create_engine, text
from tests_support.identities import PASSWORD, Identity
from tests_support.servers import Servers

from libs.common.bus import Answered
from libs.common.errors import TooMany
from libs.common.privacy import Forgotten
from services.identity.contract import (
    ROLES,
    AddMember,
    FoundOrganization,
    OpenSession,
    RegisterPerson,
    RemoveMember,
    Role,
)
from services.identity.keystore import KeyStore

OWNER = ROLES[Role.OWNER]
ANN = RegisterPerson(
    name="Ann", email="ann@example.org", password=PASSWORD, old_enough=True, policies={}
)


def split(results: list[Answered | BaseException]) -> tuple[list[Answered], list[BaseException]]:
    good = [r for r in results if isinstance(r, Answered)]
    return good, [r for r in results if isinstance(r, BaseException)]


async def test_one_of_two_sign_ups_with_one_address_wins(identity: Identity) -> None:
    asked = [identity.ask(ANN) for _ in range(4)]
    good, refused = split(await asyncio.gather(*asked, return_exceptions=True))
    assert len(good) == 1
    assert [getattr(e, "code", e) for e in refused] == ["email-taken"] * 3
    assert identity.types().count("person-registered") == 1


async def test_one_command_sent_twice_at_once_is_one_person(identity: Identity) -> None:
    first, second = await asyncio.gather(identity.once(ANN, "k"), identity.once(ANN, "k"))
    assert first.value == second.value
    assert sorted(identity.types()) == ["key-created", "key-created", "person-registered"]


async def test_one_command_sent_twice_at_once_is_one_organization(identity: Identity) -> None:
    person, command = await identity.sign_up("ann"), FoundOrganization(name="Acme", slug="acme")
    first, second = await asyncio.gather(
        identity.once(command, "k", person), identity.once(command, "k", person)
    )
    assert first.value == second.value
    assert identity.types().count("organization-founded") == 1


async def test_one_of_two_organizations_gets_the_short_name(identity: Identity) -> None:
    person = await identity.sign_up("ann")
    command = FoundOrganization(name="Acme", slug="acme")
    asked = [identity.ask(command, person) for _ in range(3)]
    good, refused = split(await asyncio.gather(*asked, return_exceptions=True))
    assert len(good) == 1
    assert [getattr(e, "code", e) for e in refused] == ["organization-exists"] * 2


async def test_two_owners_cannot_remove_each_other_at_once(identity: Identity) -> None:
    ann, bob = await identity.sign_up("ann"), await identity.sign_up("bob")
    org = await identity.found(ann)
    who = {"organization": org, "permissions": OWNER}
    await identity.ask(AddMember(email="bob@example.org", role=Role.OWNER), ann, **who)
    results = await asyncio.gather(
        identity.ask(RemoveMember(person=bob), ann, **who),
        identity.ask(RemoveMember(person=ann), bob, **who), return_exceptions=True,
    )  # fmt: skip
    assert len(split(list(results))[0]) == 1
    assert identity.types().count("member-removed") == 1


async def test_of_many_sign_ins_at_once_five_are_tried(identity: Identity) -> None:
    await identity.sign_up("ann")
    command = OpenSession(email="ann@example.org", password=PASSWORD)
    asked = [identity.ask(command) for _ in range(9)]
    good, refused = split(await asyncio.gather(*asked, return_exceptions=True))
    assert len(good) == 5
    assert all(isinstance(error, TooMany) for error in refused)


async def test_the_key_store_can_be_a_server(servers: Servers) -> None:
    url = servers.admin_url.replace("postgresql://", "postgresql+psycopg://", 1)
    stores = [KeyStore(url, b"k" * 32), KeyStore(url, b"k" * 32)]
    try:
        await stores[0].ensure("org_0", ("content",))
        made = await asyncio.gather(*(store.ensure("org_1", ("content",)) for store in stores))
        assert made[0] == made[1]
        await stores[0].destroy("org_1")
        with pytest.raises(Forgotten):
            await stores[1].ensure("org_1", ("content",))
    finally:
        for store in stores:
            store.close()
        engine = create_engine(url)
        with engine.begin() as db:
            db.execute(text("drop table if exists data_keys"))
        engine.dispose()
