"""Invitations into an organization: made, listed, withdrawn. Accepting one is signing up."""

from datetime import timedelta

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy, reply
from libs.common.messages import Meta
from libs.common.pages import page_of
from services.identity import emails, reading
from services.identity.contract import (
    SERVICE,
    FindInvitations,
    InvitationIssued,
    InvitationShown,
    InvitationWithdrawnShown,
    InvitePerson,
    SignedUpAlready,
    SignUpClosed,
    WithdrawInvitation,
)
from services.identity.domain.invitations import Invite, Withdraw
from services.identity.domain.organization import Organization, organization, person_behind
from services.identity.handlers.members import caller
from services.identity.onetime import keep
from services.identity.parts import Parts, new_id, now, opened_content, organization_stream
from services.identity.tokens import new_token

VALID = timedelta(days=7)


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()
    service = parts.service

    @r.subscriber(FindInvitations.type, queue=SERVICE)
    async def find_invitations(query: FindInvitations, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as db:
            found = await reading.invitations_page(db, meta.organization, query)
        shown = [await _shown(parts, row) for row in found]
        return reply(page_of(found, query, lambda r: (r.issued_at, r.invitation_id), shown))

    @r.subscriber(InvitePerson.type, queue=SERVICE)
    async def invite_person(command: InvitePerson, meta: CausedBy) -> NatsResponse:
        if (before := await service.answered_before(meta)) is not None:
            return before
        if parts.settings.sign_up == "closed":
            raise SignUpClosed("nobody can sign up here, so nobody can be invited")
        email = emails.checked(command.email)
        fact, token = await _issued(parts, command, email, meta), new_token("invitation")

        async def beside(db: AsyncConnection) -> None:
            await keep(
                db, "invitation", token, fact.invitation_id, meta.organization, fact.expires_at
            )

        def shown(state: Organization, _: int) -> InvitationShown:
            made = state.invitations.issued[fact.invitation_id]
            return InvitationShown(
                id=made.invitation_id, email=email, role=made.role, invited_by=made.invited_by,
                issued_at=made.issued_at, expires_at=made.expires_at,
            )  # fmt: skip

        return await service.decide(
            organization, organization_stream(meta.organization), Invite(caller(meta), fact), meta,
            answer=shown, reveal={"token": token}, beside=beside,
        )  # fmt: skip

    @r.subscriber(WithdrawInvitation.type, queue=SERVICE)
    async def withdraw_invitation(command: WithdrawInvitation, meta: CausedBy) -> NatsResponse:
        return await service.decide(
            organization, organization_stream(meta.organization),
            Withdraw(caller(meta), command.invitation, now()), meta,
            answer=lambda _, version: InvitationWithdrawnShown(id=command.invitation),
        )  # fmt: skip

    return r


async def _issued(
    parts: Parts, command: InvitePerson, email: str, meta: Meta
) -> InvitationIssued:  # fmt: skip
    """The fact, unless somebody with this address has signed up."""
    org, service, at = meta.organization, parts.service, now()
    index, stream = emails.index_of(parts.settings.index_bytes, email), organization_stream(org)
    async with service.database.work() as db:
        if await reading.profile_by_email(db, index) is not None:
            raise SignedUpAlready("this person has signed up: add them as a member")
    state, _, _ = await service.store.state(organization, stream)
    return InvitationIssued(
        invitation_id=new_id("inv", meta), role=command.role, email_index=index,
        email=await service.keys.seal(org, "content", stream, email),
        invited_by=person_behind(meta.actor, state), issued_at=at, expires_at=at + VALID,
    )  # fmt: skip


async def _shown(parts: Parts, row: reading.Found) -> InvitationShown:
    return InvitationShown(
        id=row.invitation_id, email=await opened_content(parts, row.org, row.email), role=row.role,
        invited_by=row.invited_by, issued_at=row.issued_at, expires_at=row.expires_at,
    )  # fmt: skip
