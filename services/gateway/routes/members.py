"""Members of an organization and their roles, and who is invited."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.gateway.access import MemberManager, MemberReader
from services.gateway.bodies import MERGE, BodyOf
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes
from services.identity.contract import (
    AddMember,
    ChangeRole,
    FindInvitations,
    FindMembers,
    InvitationShown,
    InvitePerson,
    MemberShown,
    RemoveMember,
    WithdrawInvitation,
)

routes = Routes("members")


@routes.get("/v1/members", Page[MemberShown])
async def find_members(
    call: MemberReader, given: Annotated[dict[str, Any], Depends(Parameters(FindMembers))]
) -> Response:
    """Who belongs to the organization, with which role."""
    return await call.listed(FindMembers, given)


@routes.post("/v1/members", MemberShown, status=201,
             refuses=("member-exists", "role-above-own"))  # fmt: skip
async def add_member(
    call: MemberManager, body: Annotated[dict[str, Any], Depends(BodyOf(AddMember))]
) -> Response:
    """Add a person who has signed up, by e-mail address."""
    return await call.carry_out(
        AddMember, location=lambda made: f"/v1/members/{made['person']}", **body
    )


@routes.patch("/v1/members/{person}", MemberShown, refuses=("last-owner", "role-above-own"))
async def change_role(
    call: MemberManager, person: str,
    body: Annotated[dict[str, Any], Depends(BodyOf(ChangeRole, without=["person"], media=MERGE))],
) -> Response:  # fmt: skip
    """Change a member's role. The last owner stays one; nobody gives a role above their own."""
    return await call.carry_out(ChangeRole, {"person": person}, **body)


@routes.delete("/v1/members/{person}", refuses=("last-owner", "role-above-own"))
async def remove_member(call: MemberManager, person: str) -> Response:
    """Remove a member, and revoke the API keys they made. The last owner can't be removed."""
    return await call.carry_out(RemoveMember, {"person": person})


@routes.get("/v1/invitations", Page[InvitationShown])
async def find_invitations(
    call: MemberManager, given: Annotated[dict[str, Any], Depends(Parameters(FindInvitations))]
) -> Response:
    """Who is invited and has not signed up yet, also when the invitation has expired."""
    return await call.listed(FindInvitations, given)


@routes.post("/v1/invitations", InvitationShown, status=201,
             refuses=("signed-up-already", "sign-up-closed", "role-above-own",
                      "limit-reached"))  # fmt: skip
async def invite_person(
    call: MemberManager, body: Annotated[dict[str, Any], Depends(BodyOf(InvitePerson))]
) -> Response:
    """Invite an e-mail address. Nothing is sent: give the token on, as `/join?token=…`. Once."""
    return await call.carry_out(
        InvitePerson, location=lambda made: f"/v1/invitations/{made['id']}", **body
    )


@routes.delete("/v1/invitations/{invitation}", refuses=("invitation-used", "role-above-own"))
async def withdraw_invitation(call: MemberManager, invitation: str) -> Response:
    """Withdraw an invitation; its token is worth nothing from now on."""
    return await call.carry_out(WithdrawInvitation, {"invitation": invitation})
