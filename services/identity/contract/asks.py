"""Commands and queries that identity answers."""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.fields import (
    Actor,
    ApiKeyId,
    Count,
    Digest,
    Email,
    Moment,
    Name,
    NotificationId,
    OrganizationId,
    OrganizationRef,
    Password,
    PersonId,
    PersonName,
    PolicyVersion,
    SecretText,
    SessionId,
    Slug,
    Title,
    Word,
)
from libs.common.lists import PageQuery
from libs.common.messages import Command, Message, Query
from services.identity.contract.events import NoticeFacts, StatusClass
from services.identity.contract.roles import Role

# -- people and sessions -------------------------------------------------------------------------


class RegisterPerson(Command, type="identity.command.register-person"):
    """Public. Answers PersonShown. Refuses: email-taken, password-refused, sign-up-closed."""

    name: PersonName
    email: Email
    password: Password
    old_enough: Literal[True]
    policies: Annotated[dict[Name, PolicyVersion], Field(max_length=10)]


class SetUpInstance(Command, type="identity.command.set-up-instance"):
    """Public, with the one-time token; answers SetUpShown. Works once."""

    token: SecretText
    name: PersonName
    email: Email
    password: Password
    organization: Title = "Home"


class OpenSession(Command, type="identity.command.open-session"):
    """Public. Answers SessionShown. `address` is the caller's address as the gateway's digest."""

    email: Email
    password: Password
    address: Digest | None = None


class CloseSession(Command, type="identity.command.close-session"):
    """A person's own session; answers SessionClosedShown."""

    session_id: SessionId


class FindInstance(Query, type="identity.query.find-instance"):
    """Public. Answers InstanceShown: is it set up, may strangers sign up?"""


class FindCaller(Query, type="identity.query.find-caller"):
    """Asked by the gateway: who holds this token, and may they? Answers CallerShown.

    `credential_digest` is SHA-256 (hex) of the whole token; `organization` what the caller chose,
    None when it chose nothing. Unknown, expired and revoked: CredentialInvalid.
    """

    credential_digest: Digest
    organization: OrganizationRef | None = None


class FindMe(Query, type="identity.query.find-me"):
    """Signed-in (`GET /v1/me`). Answers MeShown for Meta.actor in Meta.organization."""


# -- organizations -------------------------------------------------------------------------------


class FoundOrganization(Command, type="identity.command.found-organization"):
    """Signed-in person; becomes its owner. Answers OrganizationShown."""

    name: Title
    slug: Slug | None = None


class FindOrganizations(PageQuery, type="identity.query.find-organizations"):
    """Signed-in: the caller's. Answers Page[MyOrganizationShown]."""


class FindOrganization(
    Query, type="identity.query.find-organization", permission="organizations:read"
):
    """Answers OrganizationShown; another than Meta.organization is NotFound."""

    organization: OrganizationRef


class ResolveOrganization(Query, type="identity.query.resolve-organization"):
    """Internal: id or slug becomes OrganizationResolved, or NotFound."""

    name: OrganizationRef


class FindMembers(PageQuery, type="identity.query.find-members", permission="members:read"):
    """Answers Page[MemberShown]."""


class AddMember(Command, type="identity.command.add-member", permission="members:manage"):
    """An existing person by e-mail; answers MemberShown. Unknown person: NotFound."""

    email: Email
    role: Role


class ChangeRole(Command, type="identity.command.change-role", permission="members:manage"):
    """Answers MemberShown. Refuses: last-owner, role-above-own."""

    person: PersonId
    role: Role


class RemoveMember(Command, type="identity.command.remove-member", permission="members:manage"):
    """Answers MemberRemovedShown (204 at the door); also revokes their API keys."""

    person: PersonId


class FindApiKeys(PageQuery, type="identity.query.find-api-keys", permission="api-keys:manage"):
    """Answers Page[ApiKeyShown]; builders and runners see their own."""


class CreateApiKey(Command, type="identity.command.create-api-key", permission="api-keys:manage"):
    """Answers ApiKeyShown with the token, once. Refuses: scope-above-own, limit-reached."""

    name: Title
    scopes: Annotated[list[Word], Field(min_length=1, max_length=60)]
    expires_at: Moment | None = None


class RevokeApiKey(Command, type="identity.command.revoke-api-key", permission="api-keys:manage"):
    """Answers ApiKeyShown (204 at the door)."""

    key: ApiKeyId


# -- notifications and access records ------------------------------------------------------------


class RaiseNotification(Command, type="identity.command.raise-notification"):
    """Internal: for one person, or (None) for the members of Meta.organization that have the
    permission `audience`. Answers NotificationRaisedShown."""

    person: PersonId | None = None
    audience: Word = "organizations:read"
    category: Word
    template: Word
    facts: NoticeFacts = Field(default_factory=dict)


class FindNotifications(PageQuery, type="identity.query.find-notifications"):
    """Self: answers Page[NotificationShown]."""


class ReadNotification(Command, type="identity.command.read-notification"):
    """Self: answers NotificationShown."""

    notification: NotificationId


class AccessReport(Message):
    """What a gateway counted: `reason` set means refused, else use with its class of status."""

    organization: OrganizationId = "instance"
    actor: Actor
    operation: Word
    at: Moment
    reason: Word | None = None
    permission: Word | None = None
    status_class: StatusClass | None = None
    count: Count = 1


class RecordAccess(Command, type="identity.command.record-access"):
    """Internal, from gateways, at most once a second; answers AccessRecorded."""

    reports: Annotated[list[AccessReport], Field(min_length=1, max_length=2000)]
