"""What an organization allows and refuses."""

from datetime import UTC, datetime, timedelta

from libs.common.decider import given
from libs.common.errors import Forbidden, InvalidInput, NotFound
from services.identity.contract import (
    ROLES,
    ApiKeyCreated,
    ApiKeyRevoked,
    LastOwner,
    LimitReached,
    MemberAdded,
    MemberExists,
    MemberRemoved,
    MemberRoleChanged,
    OrganizationFounded,
    Role,
    RoleAboveOwn,
    ScopeAboveOwn,
)
from services.identity.domain.organization import (
    API_KEYS_MAX,
    Add,
    Caller,
    CreateKey,
    Found,
    GiveRole,
    Remove,
    RevokeKey,
    organization,
)

NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
FOUNDED = OrganizationFounded(
    organization_id="org_1", name="v1.k.n.c", slug="acme", owner_id="per_ann", founded_at=NOW
)


def member(person: str, role: Role) -> MemberAdded:
    return MemberAdded(person_id=person, role=role, added_at=NOW)


OWNER = member("per_ann", Role.OWNER)
BASE = (FOUNDED, OWNER)


def by(actor: str, role: Role) -> Caller:
    return Caller(actor, ROLES[role])


ANN = by("per_ann", Role.OWNER)


def key(key_id: str, creator: str, *scopes: str) -> ApiKeyCreated:
    return ApiKeyCreated(
        key_id=key_id, name="v1.k.n.c", scopes=list(scopes), expires_at=None, created_by=creator,
        created_at=NOW,
    )  # fmt: skip


def create(caller: Caller, *scopes: str, expires_at: datetime | None = None) -> CreateKey:
    return CreateKey(caller, "key_new", "v1.k.n.c", scopes, expires_at, NOW)


def test_who_founds_an_organization_is_its_owner() -> None:
    given(organization).when(Found(FOUNDED)).then(FOUNDED, OWNER)


def test_nothing_can_be_done_in_an_organization_that_is_not_there() -> None:
    given(organization).when(Add(ANN, "per_bob", Role.VIEWER, NOW)).then_refused(NotFound)


def test_a_member_is_added_once() -> None:
    bob = member("per_bob", Role.VIEWER)
    given(organization, *BASE).when(Add(ANN, "per_bob", Role.VIEWER, NOW)).then(bob)
    given(organization, *BASE, bob).when(
        Add(ANN, "per_bob", Role.ADMIN, NOW)
    ).then_refused(MemberExists)  # fmt: skip


def test_nobody_gives_a_role_above_their_own() -> None:
    eve = by("per_eve", Role.ADMIN)
    admin = (*BASE, member("per_eve", Role.ADMIN))
    given(organization, *admin).when(Add(eve, "per_bob", Role.OWNER, NOW)).then_refused(
        RoleAboveOwn
    )
    given(organization, *admin).when(GiveRole(eve, "per_eve", Role.OWNER)).then_refused(
        RoleAboveOwn
    )
    given(organization, *admin).when(Add(eve, "per_bob", Role.ADMIN, NOW)).then_kinds(MemberAdded)


def test_an_admin_can_neither_lower_nor_remove_an_owner() -> None:
    eve = by("per_eve", Role.ADMIN)
    two = (*BASE, member("per_bob", Role.OWNER), member("per_eve", Role.ADMIN))
    given(organization, *two).when(GiveRole(eve, "per_bob", Role.VIEWER)).then_refused(RoleAboveOwn)
    given(organization, *two).when(Remove(eve, "per_bob", NOW)).then_refused(RoleAboveOwn)


def test_an_api_key_gives_no_role_that_may_more_than_its_scopes() -> None:
    hers = (*BASE, key("key_1", "per_ann", "members:manage"))
    narrow = Caller("key_1", frozenset({"members:manage"}))
    given(organization, *hers).when(Add(narrow, "per_bob", Role.OWNER, NOW)).then_refused(
        RoleAboveOwn
    )
    given(organization, *hers).when(Add(narrow, "per_bob", Role.VIEWER, NOW)).then_refused(
        RoleAboveOwn
    )


def test_the_last_owner_can_be_neither_lowered_nor_removed() -> None:
    given(organization, *BASE).when(GiveRole(ANN, "per_ann", Role.ADMIN)).then_refused(LastOwner)
    given(organization, *BASE).when(Remove(ANN, "per_ann", NOW)).then_refused(LastOwner)


def test_one_of_two_owners_can_leave() -> None:
    two = (*BASE, member("per_bob", Role.OWNER))
    given(organization, *two).when(Remove(ANN, "per_ann", NOW)).then(
        MemberRemoved(person_id="per_ann", reason="left")
    )


def test_the_same_role_again_changes_nothing() -> None:
    bob = (*BASE, member("per_bob", Role.VIEWER))
    given(organization, *bob).when(GiveRole(ANN, "per_bob", Role.VIEWER)).then_nothing()
    given(organization, *bob).when(GiveRole(ANN, "per_bob", Role.RUNNER)).then(
        MemberRoleChanged(person_id="per_bob", from_role=Role.VIEWER, to_role=Role.RUNNER)
    )


def test_who_is_removed_loses_their_api_keys() -> None:
    before = (
        *BASE, member("per_bob", Role.BUILDER), key("key_1", "per_bob", "workflows:read"),
        key("key_2", "per_ann", "workflows:read"),
    )  # fmt: skip
    given(organization, *before).when(Remove(ANN, "per_bob", NOW)).then(
        MemberRemoved(person_id="per_bob", reason="removed"),
        ApiKeyRevoked(key_id="key_1", reason="creator-left", revoked_at=NOW),
    )


def test_who_was_removed_can_change_nothing_any_more() -> None:
    bob = by("per_bob", Role.OWNER)
    before = (*BASE, member("per_bob", Role.OWNER), MemberRemoved(
        person_id="per_bob", reason="removed"))  # fmt: skip
    given(organization, *before).when(Add(bob, "per_eve", Role.VIEWER, NOW)).then_refused(Forbidden)
    given(organization, *before).when(create(bob, "workflows:read")).then_refused(NotFound)


def test_scopes_are_never_above_what_the_creator_may() -> None:
    bob = by("per_bob", Role.RUNNER)
    before = (*BASE, member("per_bob", Role.RUNNER))
    given(organization, *before).when(create(bob, "executions:start")).then_kinds(ApiKeyCreated)
    given(organization, *before).when(create(bob, "workflows:edit")).then_refused(ScopeAboveOwn)


def test_a_key_makes_no_key_with_more_than_its_own_scopes() -> None:
    narrow = Caller("key_1", frozenset({"api-keys:manage", "workflows:read"}))
    before = (*BASE, key("key_1", "per_ann", "api-keys:manage", "workflows:read"))
    made = given(organization, *before).when(create(narrow, "workflows:read"))
    created = made.then_kinds(ApiKeyCreated)[0]
    assert isinstance(created, ApiKeyCreated)
    assert created.created_by == "per_ann"
    given(organization, *before).when(create(narrow, "secrets:manage")).then_refused(ScopeAboveOwn)


def test_an_unknown_scope_is_named() -> None:
    error = given(organization, *BASE).when(create(ANN, "workflows:fly")).then_refused(InvalidInput)
    assert error.errors[0].pointer == "/scopes/0"


def test_a_key_that_expired_before_it_was_made_is_refused() -> None:
    given(organization, *BASE).when(
        create(ANN, "workflows:read", expires_at=NOW - timedelta(seconds=1))
    ).then_refused(InvalidInput)


def test_an_organization_has_fifty_api_keys_and_a_revoked_one_makes_room() -> None:
    many = [key(f"key_{i}", "per_ann", "workflows:read") for i in range(API_KEYS_MAX)]
    given(organization, *BASE, *many).when(create(ANN, "workflows:read")).then_refused(LimitReached)
    room = ApiKeyRevoked(key_id="key_0", reason="revoked", revoked_at=NOW)
    given(organization, *BASE, *many, room).when(create(ANN, "workflows:read")).then_kinds(
        ApiKeyCreated
    )


def test_a_builder_revokes_only_their_own_keys() -> None:
    bob = by("per_bob", Role.BUILDER)
    before = (
        *BASE, member("per_bob", Role.BUILDER), key("key_1", "per_bob", "workflows:read"),
        key("key_2", "per_ann", "workflows:read"),
    )  # fmt: skip
    given(organization, *before).when(RevokeKey(bob, "key_1", NOW)).then_kinds(ApiKeyRevoked)
    given(organization, *before).when(RevokeKey(bob, "key_2", NOW)).then_refused(NotFound)
    given(organization, *before).when(RevokeKey(ANN, "key_1", NOW)).then_kinds(ApiKeyRevoked)


def test_a_key_is_revoked_once() -> None:
    before = (
        *BASE, key("key_1", "per_ann", "workflows:read"),
        ApiKeyRevoked(key_id="key_1", reason="revoked", revoked_at=NOW),
    )  # fmt: skip
    given(organization, *before).when(RevokeKey(ANN, "key_1", NOW)).then_nothing()
