"""What is asked about an organization: members, invitations, API keys."""

from typing import Annotated

from pydantic import Field

from libs.common.fields import (
    ApiKeyId,
    Email,
    InvitationId,
    Moment,
    OrganizationRef,
    PersonId,
    Slug,
    Title,
    Word,
)
from libs.common.lists import Page, PageQuery
from libs.common.messages import Command, Query
from services.identity.contract.roles import Role
from services.identity.contract.shown import (
    ApiKeyShown,
    InvitationShown,
    InvitationWithdrawnShown,
    MemberRemovedShown,
    MemberShown,
    MyOrganizationShown,
    OrganizationResolved,
    OrganizationShown,
)


class FoundOrganization(
    Command, type="identity.command.found-organization", answers=OrganizationShown
):
    """Signed-in person; becomes its owner."""

    name: Title
    slug: Slug | None = None


class FindOrganizations(
    PageQuery, type="identity.query.find-organizations", answers=Page[MyOrganizationShown]
):
    """Signed-in: the caller's."""


class FindOrganization(
    Query,
    type="identity.query.find-organization",
    permission="organizations:read",
    answers=OrganizationShown,
):
    """Another than Meta.organization is NotFound."""

    organization: OrganizationRef


class ResolveOrganization(
    Query, type="identity.query.resolve-organization", answers=OrganizationResolved
):
    """Internal: id or slug becomes OrganizationResolved, or NotFound."""

    name: OrganizationRef


class FindMembers(
    PageQuery,
    type="identity.query.find-members",
    permission="members:read",
    answers=Page[MemberShown],
):
    """Who belongs to the organization."""


class AddMember(
    Command, type="identity.command.add-member", permission="members:manage", answers=MemberShown
):
    """An existing person by e-mail. Unknown person: NotFound."""

    email: Email
    role: Role


class ChangeRole(
    Command, type="identity.command.change-role", permission="members:manage", answers=MemberShown
):
    """Refuses: last-owner, role-above-own."""

    person: PersonId
    role: Role


class RemoveMember(
    Command,
    type="identity.command.remove-member",
    permission="members:manage",
    answers=MemberRemovedShown,
):
    """Also revokes their API keys. 204 at the door."""

    person: PersonId


class FindInvitations(
    PageQuery,
    type="identity.query.find-invitations",
    permission="members:manage",
    answers=Page[InvitationShown],
):
    """Those that were neither accepted nor withdrawn."""


class InvitePerson(
    Command,
    type="identity.command.invite-person",
    permission="members:manage",
    answers=InvitationShown,
):
    """Somebody who has not signed up; a new invitation replaces an open one to the same address.

    The token is answered once. Refuses: signed-up-already, sign-up-closed, role-above-own,
    limit-reached.
    """

    email: Email
    role: Role


class WithdrawInvitation(
    Command,
    type="identity.command.withdraw-invitation",
    permission="members:manage",
    answers=InvitationWithdrawnShown,
):
    """204 at the door. Refuses: invitation-used."""

    invitation: InvitationId


class FindApiKeys(
    PageQuery,
    type="identity.query.find-api-keys",
    permission="api-keys:manage",
    answers=Page[ApiKeyShown],
):
    """Builders and runners see their own."""


class CreateApiKey(
    Command,
    type="identity.command.create-api-key",
    permission="api-keys:manage",
    answers=ApiKeyShown,
):
    """The token is answered once. Refuses: scope-above-own, limit-reached."""

    name: Title
    scopes: Annotated[list[Word], Field(min_length=1, max_length=60)]
    expires_at: Moment | None = None


class RevokeApiKey(
    Command,
    type="identity.command.revoke-api-key",
    permission="api-keys:manage",
    answers=ApiKeyShown,
):
    """204 at the door."""

    key: ApiKeyId
