"""What identity answers: exactly the JSON that the API shows."""

from libs.common.fields import (
    Actor,
    ApiKeyId,
    Count,
    Email,
    Flag,
    InvitationId,
    Moment,
    Name,
    NotificationId,
    OrganizationId,
    PersonId,
    PersonName,
    PolicyVersion,
    SecretText,
    SessionId,
    SignInLinkId,
    Slug,
    Title,
    Word,
)
from libs.common.messages import Message
from services.identity.contract.events import NoticeFacts
from services.identity.contract.roles import Role

Policies = dict[Name, PolicyVersion]


class PersonShown(Message):
    id: PersonId
    name: PersonName
    email: Email
    policies: Policies
    created_at: Moment


class SessionShown(Message):
    """`token` is there once; null in a repetition."""

    id: SessionId
    person: PersonId
    expires_at: Moment
    token: SecretText | None = None


class SessionClosedShown(Message):
    id: SessionId


class SignInLinkShown(Message):
    """`token` is there once; `/sign-in?token=…` signs a browser in with it."""

    id: SignInLinkId
    expires_at: Moment
    token: SecretText | None = None


class OrganizationShown(Message):
    id: OrganizationId
    slug: Slug
    name: Title
    founded_at: Moment
    created_by: PersonId


class MyOrganizationShown(Message):
    id: OrganizationId
    slug: Slug
    name: Title
    role: Role


class SetUpShown(Message):
    """`session.token` is there once; a repetition shows `session` as null."""

    person: PersonShown
    organization: OrganizationShown
    session: SessionShown | None = None


class InstanceShown(Message):
    set_up: Flag
    sign_up: Word


class CallerShown(Message):
    """Who holds a token. `organization` is null when none was chosen or it is not the caller's."""

    actor: Actor
    person_id: PersonId | None
    key_id: ApiKeyId | None
    session_id: SessionId | None
    organizations: list[MyOrganizationShown]
    organization: MyOrganizationShown | None
    role: Role | None
    permissions: list[Word]
    expires_at: Moment | None
    instance_operator: Flag


class MeShown(Message):
    """`GET /v1/me`: of an API key `person` is null and `api_key` its id."""

    person: PersonShown | None
    api_key: ApiKeyId | None
    organizations: list[MyOrganizationShown]
    organization: MyOrganizationShown | None
    role: Role | None
    permissions: list[Word]
    instance_operator: Flag


class OrganizationResolved(Message):
    id: OrganizationId
    slug: Slug


class MemberShown(Message):
    person: PersonId
    name: PersonName
    email: Email
    role: Role
    added_at: Moment


class MemberRemovedShown(Message):
    person: PersonId


class InvitationShown(Message):
    """`token` is there once, in the answer of its creation; `/join?token=…` takes it."""

    id: InvitationId
    email: Email
    role: Role
    invited_by: PersonId
    issued_at: Moment
    expires_at: Moment
    token: SecretText | None = None


class InvitationWithdrawnShown(Message):
    id: InvitationId


class ApiKeyShown(Message):
    """`token` is there once, in the answer of its creation."""

    id: ApiKeyId
    name: Title
    scopes: list[Word]
    created_by: PersonId
    created_at: Moment
    expires_at: Moment | None
    last_used_at: Moment | None
    revoked_at: Moment | None
    token: SecretText | None = None


class PermissionsFound(Message):
    permissions: list[Word]


class KeyCreatorFound(Message):
    """Who answers for what an API key does."""

    person: PersonId


class NotificationShown(Message):
    id: NotificationId
    organization: OrganizationId | None
    category: Word
    template: Word
    facts: NoticeFacts
    raised_at: Moment
    read_at: Moment | None


class NotificationRaisedShown(Message):
    id: NotificationId


class AccessRecorded(Message):
    count: Count
