"""The facts that identity records."""

from typing import Literal

from libs.common.fields import (
    Actor,
    ApiKeyId,
    Count,
    Digest,
    Flag,
    InvitationId,
    KeyId,
    Moment,
    Name,
    NotificationId,
    OrganizationId,
    OwnerId,
    PersonId,
    PolicyVersion,
    SealedEmail,
    SealedOrganizationName,
    SealedPersonName,
    SealedText,
    SessionId,
    SignInLinkId,
    Slug,
    Word,
)
from libs.common.grants import Purpose
from libs.common.messages import Event
from services.identity.contract.roles import Role

SignInReason = Literal["credential-invalid", "too-many"]
StatusClass = Literal["2xx", "3xx", "4xx", "5xx"]
NoticeFacts = dict[Name, Word | Count]


class PersonRegistered(Event, type="identity.event.person-registered"):
    person_id: PersonId
    name: SealedPersonName
    email: SealedEmail
    email_index: Digest
    old_enough: Flag
    policies: dict[Name, PolicyVersion]
    password_scheme: Word
    registered_at: Moment


class SessionOpened(Event, type="identity.event.session-opened"):
    session_id: SessionId
    method: Word
    expires_at: Moment


class SignInRefused(Event, type="identity.event.sign-in-refused"):
    """Folded: of one account, reason and address, gathered for half a minute."""

    person_id: PersonId | None
    email_index: Digest
    reason: SignInReason
    minute: Moment
    count: Count


class SessionClosed(Event, type="identity.event.session-closed"):
    session_id: SessionId
    reason: Word


class SignInLinkMade(Event, type="identity.event.sign-in-link-made"):
    """The person asked for a link that signs them in once, without the password."""

    link_id: SignInLinkId
    expires_at: Moment


class SignInLinkUsed(Event, type="identity.event.sign-in-link-used"):
    link_id: SignInLinkId


class PasswordChanged(Event, type="identity.event.password-changed"):
    reason: Literal["changed", "rehashed"]
    scheme: Word


class OrganizationFounded(Event, type="identity.event.organization-founded", public=True):
    organization_id: OrganizationId
    name: SealedOrganizationName
    slug: Slug
    owner_id: PersonId
    founded_at: Moment


class MemberAdded(Event, type="identity.event.member-added", public=True):
    person_id: PersonId
    role: Role
    added_at: Moment


class MemberRoleChanged(Event, type="identity.event.member-role-changed", public=True):
    person_id: PersonId
    from_role: Role
    to_role: Role


class MemberRemoved(Event, type="identity.event.member-removed", public=True):
    person_id: PersonId
    reason: Literal["removed", "left"]


class InvitationIssued(Event, type="identity.event.invitation-issued"):
    """`email` is sealed under the organization's key: the invited person has none yet."""

    invitation_id: InvitationId
    email: SealedEmail
    email_index: Digest
    role: Role
    invited_by: PersonId
    issued_at: Moment
    expires_at: Moment


class InvitationAccepted(Event, type="identity.event.invitation-accepted"):
    invitation_id: InvitationId
    person_id: PersonId
    accepted_at: Moment


class InvitationWithdrawn(Event, type="identity.event.invitation-withdrawn"):
    invitation_id: InvitationId
    reason: Literal["withdrawn", "replaced"]
    withdrawn_at: Moment


class ApiKeyCreated(Event, type="identity.event.api-key-created", public=True):
    key_id: ApiKeyId
    name: SealedText
    scopes: list[Word]
    expires_at: Moment | None
    created_by: PersonId
    created_at: Moment


class ApiKeyRevoked(Event, type="identity.event.api-key-revoked", public=True):
    key_id: ApiKeyId
    reason: Literal["revoked", "creator-left"]
    revoked_at: Moment


class AccessRefused(Event, type="identity.event.access-refused"):
    """Folded per actor, operation, reason and origin, gathered for half a minute."""

    actor: Actor
    operation: Word
    permission: Word | None
    reason: Word
    minute: Moment
    count: Count


class ApiUsageRecorded(Event, type="identity.event.api-usage-recorded"):
    """Per actor, operation, class of status and origin, gathered for half a minute."""

    actor: Actor
    operation: Word
    status_class: StatusClass
    minute: Moment
    count: Count


class NotificationRaised(Event, type="identity.event.notification-raised"):
    """Something to tell one person, or the members of the organization who may know it."""

    notification_id: NotificationId
    person_id: PersonId | None
    audience: Word
    category: Word
    template: Word
    facts: NoticeFacts
    raised_at: Moment


class NotificationRead(Event, type="identity.event.notification-read"):
    notification_id: NotificationId
    person_id: PersonId
    read_at: Moment


class OperatorAppointed(Event, type="identity.event.operator-appointed"):
    person_id: PersonId
    how: Word


class KeyCreated(Event, type="identity.event.key-created"):
    """A data key of an organization or a person was made; its value is in no event."""

    owner_id: OwnerId
    purpose: Purpose
    kid: KeyId


class KeysDestroyed(Event, type="identity.event.keys-destroyed"):
    """All data keys of an owner are gone for ever; caches drop them when they see this."""

    owner_id: OwnerId
    kids: list[KeyId]
