"""What somebody may do now, as services ask it of long work that was begun before."""

from datetime import UTC, datetime, timedelta

import pytest
from tests_support.identities import Identity

from libs.common import clock
from libs.common.errors import Forbidden
from services.identity.contract import (
    ROLES,
    AddMember,
    ChangeRole,
    CreateApiKey,
    FindPermissions,
    RemoveMember,
    RevokeApiKey,
    Role,
)

CONTROL = "executions:control"


async def may(identity: Identity, org: str, actor: str) -> frozenset[str]:
    asked = FindPermissions(actor=actor)
    answer = await identity.ask(asked, "system:executor", organization=org)
    return frozenset(answer.value["permissions"])


async def test_a_person_may_what_the_role_allows_until_it_is_lost(identity: Identity) -> None:
    ann, bob = await identity.sign_up("ann"), await identity.sign_up("bob")
    org = await identity.found(ann, "acme")
    owner = await identity.sign_in(ann)
    await identity.as_(AddMember(email="bob@example.org", role=Role.RUNNER), owner)
    assert await may(identity, org, ann) == ROLES[Role.OWNER]
    assert await may(identity, org, bob) == ROLES[Role.RUNNER]

    await identity.as_(ChangeRole(person=bob, role=Role.VIEWER), owner)
    assert CONTROL not in await may(identity, org, bob)
    await identity.as_(RemoveMember(person=bob), owner)
    assert await may(identity, org, bob) == frozenset()
    assert await may(identity, "org_foreign", ann) == frozenset()
    with pytest.raises(Forbidden):
        await identity.ask(FindPermissions(actor=bob), ann, organization=org)


async def test_a_key_may_its_scopes_as_far_as_its_creator_may_until_it_is_revoked_or_over(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = await identity.sign_up("ann"), await identity.sign_up("bob")
    org = await identity.found(ann, "acme")
    owner = await identity.sign_in(ann)
    await identity.as_(AddMember(email="bob@example.org", role=Role.RUNNER), owner)
    bobs = await identity.sign_in(bob)
    made = CreateApiKey(name="k", scopes=[CONTROL, "executions:read"], expires_at=None)
    key = (await identity.as_(made, bobs)).value["id"]
    soon = datetime.now(UTC) + timedelta(hours=1)
    short = (await identity.as_(made.model_copy(update={"expires_at": soon}), bobs)).value["id"]
    assert await may(identity, org, key) == {CONTROL, "executions:read"}
    assert await may(identity, org, short) == {CONTROL, "executions:read"}

    monkeypatch.setattr(clock, "offset_s", 7200.0)
    assert await may(identity, org, short) == frozenset()
    monkeypatch.setattr(clock, "offset_s", 0.0)
    await identity.as_(ChangeRole(person=bob, role=Role.VIEWER), owner)
    assert await may(identity, org, key) == {"executions:read"}
    await identity.as_(RevokeApiKey(key=key), owner)
    assert await may(identity, org, key) == frozenset()
    assert await may(identity, org, "key_never") == frozenset()
