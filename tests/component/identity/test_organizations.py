"""Organizations, members, API keys and notifications, over the bus."""

from datetime import UTC, datetime, timedelta

import pytest
from tests_support.identities import Identity

from libs.common.errors import Conflict, Forbidden, NotFound, NotSignedIn
from libs.common.keys import FindKey
from services.identity.contract import (
    ROLES,
    AddMember,
    ChangeRole,
    CreateApiKey,
    FindApiKeys,
    FindMembers,
    FindNotifications,
    FindOrganization,
    FindOrganizations,
    FoundOrganization,
    RaiseNotification,
    ReadNotification,
    RemoveMember,
    ResolveOrganization,
    RevokeApiKey,
    Role,
)

OWNER = ROLES[Role.OWNER]


async def test_the_founder_owns_the_organization_and_its_keys_are_there(
    identity: Identity,
) -> None:
    person = await identity.sign_up("ann")
    answer = await identity.ask(FoundOrganization(name="Acme & Sons", slug="acme"), person)
    made = answer.value
    caller = await identity.caller(await identity.sign_in(person))
    assert caller.organization is not None
    assert (caller.organization.slug, caller.role) == ("acme", Role.OWNER)
    assert frozenset(caller.permissions) == OWNER
    found = await identity.ask(
        FindOrganization(organization="acme"), person, organization=made["id"], permissions=OWNER
    )
    assert (found.value, found.version) == (made, 2)
    mine = (await identity.ask(FindOrganizations(), person)).value
    assert [o["name"] for o in mine["data"]] == ["Acme & Sons"]
    for service, purpose in (("executor", "executions"), ("workflows", "secrets")):
        query = FindKey.model_validate({"owner": made["id"], "purpose": purpose})
        assert (await identity.ask(query, f"system:{service}")).value["kid"]
    assert identity.types().count("key-created") == 5


async def test_keys_are_for_services_that_may_have_them(identity: Identity) -> None:
    org = await identity.found(await identity.sign_up("ann"))
    query = FindKey(owner=org, purpose="executions")
    for actor in ("system:billing", "system:workflows", "per_1"):
        with pytest.raises(Forbidden):
            await identity.ask(query, actor)
    with pytest.raises(NotFound):
        await identity.ask(FindKey(owner="org_none", purpose="executions"), "system:executor")


async def test_a_short_name_is_taken_once(identity: Identity) -> None:
    person = await identity.sign_up("ann")
    await identity.found(person, "acme")
    with pytest.raises(Conflict) as refused:
        await identity.found(person, "acme")
    assert refused.value.code == "organization-exists"


async def test_an_organization_is_resolved_by_id_and_by_short_name(identity: Identity) -> None:
    org = await identity.found(await identity.sign_up("ann"), "acme")
    for name in (org, "acme"):
        found = (await identity.ask(ResolveOrganization(name=name))).value
        assert found == {"id": org, "slug": "acme"}
    with pytest.raises(NotFound):
        await identity.ask(ResolveOrganization(name="nobodys"))


async def test_who_has_several_organizations_says_which(identity: Identity) -> None:
    person, bob = await identity.sign_up("ann"), await identity.sign_up("bob")
    await identity.found(person, "one")
    second = await identity.found(person, "two")
    await identity.found(bob, "foreign")
    token = await identity.sign_in(person)
    assert (await identity.caller(token)).organization is None
    for name in ("two", second):
        chosen = (await identity.caller(token, name)).organization
        assert chosen is not None
        assert chosen.id == second
    for name in ("foreign", "never"):
        caller = await identity.caller(token, name)
        assert (caller.organization, caller.permissions) == (None, [])


async def test_members_come_change_and_go(identity: Identity) -> None:
    person, bob = await identity.sign_up("ann"), await identity.sign_up("bob")
    await identity.found(person, "acme")
    owner, bobs = await identity.sign_in(person), await identity.sign_in(bob)
    added = await identity.as_(AddMember(email="BOB@example.org", role=Role.VIEWER), owner)
    assert added.value["person"] == bob
    caller = await identity.caller(bobs)
    assert caller.role == Role.VIEWER
    page = (await identity.as_(FindMembers(order="asc"), bobs)).value
    assert [(m["name"], m["role"]) for m in page["data"]] == [
        ("Name of ann", "owner"), ("Name of bob", "viewer"),
    ]  # fmt: skip
    with pytest.raises(Forbidden):
        await identity.as_(AddMember(email="ann@example.org", role=Role.VIEWER), bobs)
    changed = await identity.as_(ChangeRole(person=bob, role=Role.ADMIN), owner)
    assert changed.value["role"] == "admin"
    await identity.as_(RemoveMember(person=bob), owner)
    assert (await identity.caller(bobs)).organizations == []
    with pytest.raises(NotFound):
        await identity.as_(RemoveMember(person=bob), owner)


async def test_who_is_not_there_cannot_be_added(identity: Identity) -> None:
    person = await identity.sign_up("ann")
    await identity.found(person)
    token = await identity.sign_in(person)
    with pytest.raises(NotFound):
        await identity.as_(AddMember(email="nobody@example.org", role=Role.VIEWER), token)
    with pytest.raises(Conflict) as twice:
        await identity.as_(AddMember(email="ann@example.org", role=Role.VIEWER), token)
    assert twice.value.code == "member-exists"


async def test_the_last_owner_stays(identity: Identity) -> None:
    person = await identity.sign_up("ann")
    await identity.found(person)
    token = await identity.sign_in(person)
    for command in (RemoveMember(person=person), ChangeRole(person=person, role=Role.VIEWER)):
        with pytest.raises(Conflict) as refused:
            await identity.as_(command, token)
        assert refused.value.code == "last-owner"


async def test_foreign_and_unknown_ids_answer_alike(identity: Identity) -> None:
    ann, bob = await identity.sign_up("ann"), await identity.sign_up("bob")
    await identity.found(ann, "acme")
    foreign = await identity.found(bob, "bobs")
    owner, bobs = await identity.sign_in(ann), await identity.sign_in(bob)
    scopes = ["workflows:read"]
    key = (await identity.as_(CreateApiKey(name="theirs", scopes=scopes), bobs)).value["id"]
    pairs = [
        (RemoveMember(person=bob), RemoveMember(person="per_never")),
        (ChangeRole(person=bob, role=Role.VIEWER), ChangeRole(person="per_n", role=Role.VIEWER)),
        (RevokeApiKey(key=key), RevokeApiKey(key="key_never")),
        (FindOrganization(organization=foreign), FindOrganization(organization="org_never")),
        (FindOrganization(organization="bobs"), FindOrganization(organization="never")),
    ]
    for theirs, unknown in pairs:
        answers = []
        for message in (theirs, unknown):
            with pytest.raises(NotFound) as refused:
                await identity.as_(message, owner)
            answers.append(refused.value.to_wire())
        assert answers[0] == answers[1]


async def test_an_api_key_may_what_its_scopes_and_its_creator_allow_now(
    identity: Identity,
) -> None:
    ann, bob = await identity.sign_up("ann"), await identity.sign_up("bob")
    await identity.found(ann)
    owner, bobs = await identity.sign_in(ann), await identity.sign_in(bob)
    await identity.as_(AddMember(email="bob@example.org", role=Role.BUILDER), owner)
    with pytest.raises(Forbidden) as above:
        await identity.as_(CreateApiKey(name="k", scopes=["members:manage"]), bobs)
    assert above.value.code == "scope-above-own"
    command = CreateApiKey(name="k", scopes=["workflows:edit", "workflows:read"])
    made = (await identity.as_(command, bobs)).value
    key = await identity.caller(made["token"])
    assert (key.actor, key.person_id, key.key_id) == (made["id"], None, made["id"])
    assert key.permissions == ["workflows:edit", "workflows:read"]
    await identity.as_(ChangeRole(person=bob, role=Role.VIEWER), owner)
    assert (await identity.caller(made["token"])).permissions == ["workflows:read"]
    await identity.as_(RemoveMember(person=bob), owner)
    with pytest.raises(NotSignedIn):
        await identity.caller(made["token"])


async def test_a_key_is_shown_once_and_gone_when_revoked(identity: Identity) -> None:
    person = await identity.sign_up("ann")
    org = await identity.found(person)
    command = CreateApiKey(name="deploy", scopes=["workflows:read"])
    made = await identity.once(command, "k", person, organization=org, permissions=OWNER)
    again = await identity.once(command, "k", person, organization=org, permissions=OWNER)
    assert again.value == made.value | {"token": None}
    listed = await identity.ask(FindApiKeys(), person, organization=org, permissions=OWNER)
    assert listed.value["data"] == [made.value | {"token": None}]
    who = {"organization": org, "permissions": OWNER}
    revoked = await identity.ask(RevokeApiKey(key=made.value["id"]), person, **who)
    assert revoked.value["revoked_at"]
    with pytest.raises(NotSignedIn):
        await identity.caller(made.value["token"])
    assert (await identity.ask(FindApiKeys(), person, **who)).value["data"] == []


async def test_an_expired_key_is_unknown(identity: Identity) -> None:
    person = await identity.sign_up("ann")
    await identity.found(person)
    token = await identity.sign_in(person)
    soon = datetime.now(UTC) + timedelta(hours=1)
    command = CreateApiKey(name="k", scopes=["workflows:read"], expires_at=soon)
    made = (await identity.as_(command, token)).value
    assert (await identity.caller(made["token"])).expires_at is not None
    identity.sql("update tokens set expires_at = now() where id like 'key_%' returning 1")
    with pytest.raises(NotSignedIn):
        await identity.caller(made["token"])


async def test_builders_see_their_own_keys_and_owners_all(identity: Identity) -> None:
    ann, bob = await identity.sign_up("ann"), await identity.sign_up("bob")
    await identity.found(ann)
    owner, bobs = await identity.sign_in(ann), await identity.sign_in(bob)
    await identity.as_(AddMember(email="bob@example.org", role=Role.BUILDER), owner)
    for name, token in (("anns", owner), ("bobs", bobs)):
        await identity.as_(CreateApiKey(name=name, scopes=["workflows:read"]), token)

    async def names(token: str) -> list[str]:
        page = (await identity.as_(FindApiKeys(order="asc"), token)).value
        return [key["name"] for key in page["data"]]

    assert (await names(owner), await names(bobs)) == (["anns", "bobs"], ["bobs"])


async def test_notifications_reach_those_who_may_know_and_are_read_once(
    identity: Identity,
) -> None:
    ann, bob = await identity.sign_up("ann"), await identity.sign_up("bob")
    org = await identity.found(ann)
    owner = await identity.sign_in(ann)
    await identity.as_(AddMember(email="bob@example.org", role=Role.RUNNER), owner)
    note = RaiseNotification(
        audience="usage:read", category="usage", template="usage-at-80", facts={"used": 80}
    )
    await identity.once(note, "n", "system:billing", organization=org)
    await identity.once(note, "n", "system:billing", organization=org)
    assert (await identity.ask(FindNotifications(), bob)).value["data"] == []
    (seen,) = (await identity.ask(FindNotifications(), ann)).value["data"]
    assert (seen["template"], seen["facts"], seen["read_at"]) == ("usage-at-80", {"used": 80}, None)
    with pytest.raises(NotFound):
        await identity.ask(ReadNotification(notification=seen["id"]), bob)
    read = (await identity.ask(ReadNotification(notification=seen["id"]), ann)).value
    again = (await identity.ask(ReadNotification(notification=seen["id"]), ann)).value
    assert read == again
    assert read["read_at"] is not None
    with pytest.raises(Forbidden):
        await identity.ask(note, ann, organization=org)


async def test_lists_come_in_pages_without_gap_or_repeat(identity: Identity) -> None:
    person = await identity.sign_up("ann")
    made = [await identity.found(person, f"team{i}") for i in range(5)]
    seen, after = [], None
    for _ in range(3):
        query = FindOrganizations(limit=2, after=after, order="asc")
        page = (await identity.ask(query, person)).value
        seen += [o["id"] for o in page["data"]]
        after = page["next"]
    assert (seen, after) == (made, None)
