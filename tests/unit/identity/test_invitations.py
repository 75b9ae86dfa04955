"""What an invitation is worth: to whom, how long, and how often."""

from datetime import UTC, datetime, timedelta

from libs.common.decider import given
from libs.common.errors import Forbidden, NotFound
from services.identity.contract import (
    ROLES,
    InvitationAccepted,
    InvitationExpired,
    InvitationForeign,
    InvitationInvalid,
    InvitationIssued,
    InvitationUsed,
    InvitationWithdrawn,
    LimitReached,
    MemberAdded,
    MemberRemoved,
    MemberRoleChanged,
    OrganizationFounded,
    Role,
    RoleAboveOwn,
)
from services.identity.domain.caller import Caller
from services.identity.domain.invitations import INVITATIONS_MAX, Accept, Invite, Withdraw
from services.identity.domain.organization import organization

NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(days=7)
FOUNDED = OrganizationFounded(
    organization_id="org_1", name="v1.k.n.c", slug="acme", owner_id="per_ann", founded_at=NOW
)


def member(person: str, role: Role) -> MemberAdded:
    return MemberAdded(person_id=person, role=role, added_at=NOW)


def issued(
    number: int = 1, role: Role = Role.VIEWER, by: str = "per_ann", index: str = "of-bob"
) -> InvitationIssued:
    return InvitationIssued(
        invitation_id=f"inv_{number}", email="v1.k.n.e", email_index=index, role=role,
        invited_by=by, issued_at=NOW, expires_at=LATER,
    )  # fmt: skip


def accept(
    person: str = "per_bob", index: str = "of-bob", at: datetime = NOW, invitation: str = "inv_1"
) -> Accept:
    return Accept(invitation, person, index, at)


BASE = (FOUNDED, member("per_ann", Role.OWNER), member("per_eve", Role.ADMIN))
ANN = Caller("per_ann", ROLES[Role.OWNER])
EVE = Caller("per_eve", ROLES[Role.ADMIN])
ACCEPTED = InvitationAccepted(invitation_id="inv_1", person_id="per_bob", accepted_at=NOW)
WITHDRAWN = InvitationWithdrawn(invitation_id="inv_1", reason="withdrawn", withdrawn_at=NOW)


def test_who_accepts_is_a_member_with_the_role_of_the_invitation() -> None:
    given(organization, *BASE).when(Invite(ANN, issued())).then(issued())
    given(organization, *BASE, issued()).when(accept()).then(
        ACCEPTED, member("per_bob", Role.VIEWER)
    )


def test_nobody_invites_above_their_own_role_nor_where_they_are_no_member() -> None:
    above = Invite(EVE, issued(role=Role.OWNER, by="per_eve"))
    given(organization, *BASE).when(above).then_refused(RoleAboveOwn)
    stranger = Invite(Caller("per_zoe", ROLES[Role.OWNER]), issued(by="per_zoe"))
    given(organization, *BASE).when(stranger).then_refused(Forbidden)


def test_an_invitation_works_once() -> None:
    used = (*BASE, issued(), ACCEPTED, member("per_bob", Role.VIEWER))
    given(organization, *used).when(accept("per_zoe")).then_refused(InvitationUsed)
    given(organization, *used).when(accept("per_bob")).then_nothing()


def test_an_invitation_ends_at_its_time() -> None:
    last = LATER - timedelta(milliseconds=1)
    given(organization, *BASE, issued()).when(accept(at=last)).then_kinds(
        InvitationAccepted, MemberAdded
    )
    given(organization, *BASE, issued()).when(accept(at=LATER)).then_refused(InvitationExpired)


def test_an_invitation_is_for_one_address() -> None:
    given(organization, *BASE, issued()).when(accept(index="of-zoe")).then_refused(
        InvitationForeign
    )


def test_a_withdrawn_and_an_unknown_invitation_get_one_answer() -> None:
    given(organization, *BASE, issued(), WITHDRAWN).when(accept()).then_refused(InvitationInvalid)
    given(organization, *BASE).when(accept()).then_refused(InvitationInvalid)


def test_an_invitation_is_worth_what_its_maker_may_give_when_it_is_accepted() -> None:
    hers = (*BASE, issued(role=Role.ADMIN, by="per_eve"))
    given(organization, *hers).when(accept()).then_kinds(InvitationAccepted, MemberAdded)
    gone = MemberRemoved(person_id="per_eve", reason="removed")
    given(organization, *hers, gone).when(accept()).then_refused(InvitationInvalid)
    lowered = MemberRoleChanged(person_id="per_eve", from_role=Role.ADMIN, to_role=Role.BUILDER)
    given(organization, *hers, lowered).when(accept()).then_refused(InvitationInvalid)


def test_a_new_invitation_replaces_the_open_one_to_the_same_address() -> None:
    replaced = WITHDRAWN.model_copy(update={"reason": "replaced"})
    given(organization, *BASE, issued()).when(Invite(ANN, issued(2))).then(replaced, issued(2))
    before = (*BASE, issued(), replaced, issued(2))
    given(organization, *before).when(accept()).then_refused(InvitationInvalid)
    given(organization, *before).when(accept(invitation="inv_2")).then_kinds(
        InvitationAccepted, MemberAdded
    )


def test_an_invitation_is_withdrawn_once_and_not_after_it_was_used() -> None:
    withdraw = Withdraw(ANN, "inv_1", NOW)
    given(organization, *BASE, issued()).when(withdraw).then(WITHDRAWN)
    given(organization, *BASE, issued(), WITHDRAWN).when(withdraw).then_nothing()
    given(organization, *BASE, issued(), ACCEPTED).when(withdraw).then_refused(InvitationUsed)
    given(organization, *BASE).when(withdraw).then_refused(NotFound)


def test_an_admin_does_not_withdraw_the_invitation_of_an_owner_to_be() -> None:
    given(organization, *BASE, issued(role=Role.OWNER)).when(
        Withdraw(EVE, "inv_1", NOW)
    ).then_refused(RoleAboveOwn)  # fmt: skip


def test_an_organization_has_fifty_open_invitations_and_one_that_ended_makes_room() -> None:
    many = [issued(n, index=f"of-{n}") for n in range(1, INVITATIONS_MAX + 1)]
    one_more = Invite(ANN, issued(99))
    given(organization, *BASE, *many).when(one_more).then_refused(LimitReached)
    given(organization, *BASE, *many, ACCEPTED).when(one_more).then_kinds(InvitationIssued)
    later = issued(99).model_copy(update={"issued_at": LATER})
    given(organization, *BASE, *many).when(Invite(ANN, later)).then_kinds(InvitationIssued)
