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
    RequestId,
    SealedOrigin,
    SecretText,
    SessionId,
    Title,
    Word,
)
from libs.common.lists import Page, PageQuery
from libs.common.messages import Command, Message, Query
from services.identity.contract.events import NoticeFacts, StatusClass
from services.identity.contract.shown import (
    AccessRecorded,
    CallerShown,
    InstanceShown,
    KeyCreatorFound,
    MeShown,
    NotificationRaisedShown,
    NotificationShown,
    PermissionsFound,
    PersonShown,
    SessionClosedShown,
    SessionShown,
    SetUpShown,
    SignInLinkShown,
)

# -- people and sessions -------------------------------------------------------------------------


class RegisterPerson(Command, type="identity.command.register-person", answers=PersonShown):
    """Public. With the token of an `invitation` the person becomes a member.

    Refuses: email-taken, password-refused, sign-up-closed, invitation-needed, -invalid, -expired,
    -foreign, -used.
    """

    name: PersonName
    email: Email
    password: Password
    old_enough: Literal[True]
    policies: Annotated[dict[Name, PolicyVersion], Field(max_length=10)]
    invitation: SecretText | None = None


class SetUpInstance(Command, type="identity.command.set-up-instance", answers=SetUpShown):
    """Public, with the one-time token. Works once."""

    token: SecretText
    name: PersonName
    email: Email
    password: Password
    organization: Title = "Home"


class OpenSession(Command, type="identity.command.open-session", answers=SessionShown):
    """Public. `address` is the caller's address as the gateway's digest."""

    email: Email
    password: Password
    address: Digest | None = None


class MakeSignInLink(Command, type="identity.command.make-sign-in-link", answers=SignInLinkShown):
    """A person's own: signs them in once, within minutes."""


class OpenSessionByLink(
    Command, type="identity.command.open-session-by-link", answers=SessionShown
):
    """Public, with the link's token; works once."""

    token: SecretText


class CloseSession(Command, type="identity.command.close-session", answers=SessionClosedShown):
    """A person's own session."""

    session_id: SessionId


class FindInstance(Query, type="identity.query.find-instance", answers=InstanceShown):
    """Public: is it set up, may strangers sign up?"""


class FindCaller(Query, type="identity.query.find-caller", answers=CallerShown):
    """Asked by the gateway: who holds this token, and may they?

    `credential_digest` is SHA-256 (hex) of the whole token; `organization` what the caller chose,
    None when it chose nothing. Unknown, expired and revoked: CredentialInvalid.
    """

    credential_digest: Digest
    organization: OrganizationRef | None = None


class FindKeyCreator(Query, type="identity.query.find-key-creator", answers=KeyCreatorFound):
    """Asked by services: which person made this key of Meta.organization, revoked ones too?"""

    key: ApiKeyId


class FindPermissions(Query, type="identity.query.find-permissions", answers=PermissionsFound):
    """Asked by services: what may a person or an API key do in Meta.organization now? Nothing any
    more, when they were removed, or the key was revoked or is over."""

    actor: Actor


class FindMe(Query, type="identity.query.find-me", answers=MeShown):
    """Signed-in (`GET /v1/me`): Meta.actor in Meta.organization."""


# -- notifications and access records ------------------------------------------------------------


class RaiseNotification(
    Command, type="identity.command.raise-notification", answers=NotificationRaisedShown
):
    """Internal: for one person, or (None) for the members of Meta.organization that have the
    permission `audience`."""

    person: PersonId | None = None
    audience: Word = "organizations:read"
    category: Word
    template: Word
    facts: NoticeFacts = Field(default_factory=dict)


class FindNotifications(
    PageQuery, type="identity.query.find-notifications", answers=Page[NotificationShown]
):
    """Self."""


class ReadNotification(
    Command, type="identity.command.read-notification", answers=NotificationShown
):
    """Self."""

    notification: NotificationId


class AccessReport(Message):
    """What a gateway counted: `reason` set means refused, else use with its class of status.

    `request_id` is the first one's; what came from elsewhere is counted apart, by `origin_digest`.
    """

    organization: OrganizationId = "instance"
    actor: Actor
    operation: Word
    at: Moment
    reason: Word | None = None
    permission: Word | None = None
    status_class: StatusClass | None = None
    count: Count = 1
    request_id: RequestId | None = None
    origin: SealedOrigin | None = None
    origin_digest: Digest | None = None


class RecordAccess(Command, type="identity.command.record-access", answers=AccessRecorded):
    """Internal, from gateways, at most once a second."""

    reports: Annotated[list[AccessReport], Field(min_length=1, max_length=2000)]
