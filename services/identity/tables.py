"""Tables of identity: read models that callers see, and what stands beside the log."""

from sqlalchemy import Index, MetaData, Table

from libs.common.fields import (
    Actor,
    ApiKeyId,
    Count,
    Digest,
    InvitationId,
    Moment,
    NotificationId,
    OrganizationId,
    OwnerId,
    PasswordHash,
    PersonId,
    RequestId,
    SealedEmail,
    SealedOrganizationName,
    SealedOrigin,
    SealedPersonName,
    SealedText,
    Slug,
    Word,
)
from libs.common.tables import column
from services.identity.contract import NoticeFacts, Policies, Role

metadata = MetaData()

# Read models. `org` is whose row it is and what row-level security compares: an organization, or
# for what is a person's own the person.
people = Table(
    "people", metadata,
    column("org", OwnerId, primary_key=True),
    column("name", SealedPersonName),
    column("email", SealedEmail),
    column("policies", Policies),
    column("created_at", Moment),
)  # fmt: skip
organizations = Table(
    "organizations", metadata,
    column("org", OrganizationId, primary_key=True),
    column("slug", Slug),
    column("name", SealedOrganizationName),
    column("founded_at", Moment),
    column("created_by", PersonId),
    column("version", Count),
)  # fmt: skip
members = Table(
    "members", metadata,
    column("org", OrganizationId, primary_key=True),
    column("person_id", PersonId, primary_key=True),
    column("name", SealedPersonName),
    column("email", SealedEmail),
    column("role", Role),
    column("added_at", Moment),
)  # fmt: skip
memberships = Table(
    "memberships", metadata,
    column("org", OwnerId, primary_key=True),
    column("organization_id", OrganizationId, primary_key=True),
    column("slug", Slug),
    column("name", SealedOrganizationName),
    column("role", Role),
    column("added_at", Moment),
)  # fmt: skip
api_keys = Table(
    "api_keys", metadata,
    column("org", OrganizationId, primary_key=True),
    column("key_id", ApiKeyId, primary_key=True),
    column("name", SealedText),
    column("scopes", list[Word]),
    column("created_by", PersonId),
    column("created_at", Moment),
    column("expires_at", Moment | None),
    column("last_used_at", Moment | None),
    column("revoked_at", Moment | None),
)  # fmt: skip
invitations = Table(
    "invitations", metadata,
    column("org", OrganizationId, primary_key=True),
    column("invitation_id", InvitationId, primary_key=True),
    column("email", SealedEmail),
    column("role", Role),
    column("invited_by", PersonId),
    column("issued_at", Moment),
    column("expires_at", Moment),
)  # fmt: skip
notifications = Table(
    "notifications", metadata,
    column("org", OwnerId, primary_key=True),
    column("notification_id", NotificationId, primary_key=True),
    column("organization_id", OrganizationId | None),
    column("category", Word),
    column("template", Word),
    column("facts", NoticeFacts),
    column("raised_at", Moment),
    column("read_at", Moment | None),
)  # fmt: skip
operators = Table("operators", metadata, column("person_id", PersonId, primary_key=True))
VIEWS = (people, organizations, members, memberships, api_keys, invitations, notifications,
         operators)  # fmt: skip

# Beside the log: unique names, and what must be in no event. Only the service itself reads them.
emails = Table(
    "emails", metadata,
    column("email_index", Digest, primary_key=True),
    column("person_id", PersonId),
)  # fmt: skip
slugs = Table(
    "slugs", metadata,
    column("slug", Slug, primary_key=True),
    column("organization_id", OrganizationId, unique=True),
)  # fmt: skip
passwords = Table(
    "passwords", metadata,
    column("person_id", PersonId, primary_key=True),
    column("hash", PasswordHash),
    column("scheme", Word),
)  # fmt: skip
tokens = Table(
    "tokens", metadata,
    column("digest", Digest, primary_key=True),
    column("id", Word, unique=True),
    column("person_id", PersonId),
    column("organization_id", OrganizationId | None),
    column("scopes", list[Word] | None),
    column("expires_at", Moment | None),
)  # fmt: skip
one_time_tokens = Table(
    "one_time_tokens", metadata,
    column("digest", Digest, primary_key=True),
    column("kind", Word),
    column("id", Word, unique=True),
    column("owner", OwnerId),
    column("expires_at", Moment),
)  # fmt: skip
attempts = Table(
    "attempts", metadata,
    column("subject", Digest),
    column("at", Moment),
    Index("attempts_subject", "subject", "at"),
)  # fmt: skip
refused_sign_ins = Table(
    "refused_sign_ins", metadata,
    column("email_index", Digest, primary_key=True),
    column("reason", Word, primary_key=True),
    column("minute", Moment, primary_key=True),
    column("since", Moment),
    column("address", Digest, primary_key=True, server_default=""),
    column("person_id", PersonId | None),
    column("origin", SealedOrigin | None),
    column("request_id", RequestId | None),
    column("count", Count),
)  # fmt: skip
access_counts = Table(
    "access_counts", metadata,
    column("tally", Digest, primary_key=True),
    column("organization_id", OrganizationId),
    column("actor", Actor),
    column("operation", Word),
    column("minute", Moment),
    column("since", Moment),
    column("reason", Word | None),
    column("permission", Word | None),
    column("status_class", Word | None),
    column("origin", SealedOrigin | None),
    column("request_id", RequestId | None),
    column("count", Count),
)  # fmt: skip
