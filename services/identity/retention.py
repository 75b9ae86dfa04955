"""What identity keeps, and how long."""

from libs.common.purposes import Basis, Purpose
from libs.common.retention import Retention

RULES = (
    Retention(
        "attempts", 1, "tries to sign in, by keyed digests, for the limits of a minute; for five",
        Purpose.SECURITY, Basis.LEGITIMATE_INTEREST, tables=("attempts",),
    ),
    Retention(
        "refused_sign_ins", 1, "counts of half a minute, until they are an event",
        Purpose.SECURITY, Basis.LEGITIMATE_INTEREST, keys=("day",), tables=("refused_sign_ins",),
        by="what makes them an event, every ten seconds",
    ),
    Retention(
        "access_counts", 1, "counts of half a minute, until they are an event",
        Purpose.SECURITY, Basis.LEGITIMATE_INTEREST, keys=("day",), tables=("access_counts",),
        by="what makes them an event, every ten seconds",
    ),
    Retention(
        "access", None, "sign-ins, refusals and use of the API, by ids and counts",
        Purpose.SECURITY, Basis.LEGITIMATE_INTEREST,
        events=(
            "sign-in-refused", "session-opened", "session-closed", "access-refused",
            "api-usage-recorded", "sign-in-link-made", "sign-in-link-used",
        ),
    ),
    Retention(
        "tokens", 14, "digests of sessions' tokens; of API keys until they are revoked",
        Purpose.ACCOUNTS, Basis.CONTRACT, tables=("tokens",),
    ),
    Retention(
        "one_time_tokens", 37,
        "digests of the tokens of invitations (7 days) and sign-in"
        " links, and 30 days longer, so that a late one is told what is wrong",
        Purpose.ACCOUNTS, Basis.CONTRACT, tables=("one_time_tokens",),
    ),
    Retention(
        "people", None, "name and e-mail address, sealed under the person's key",
        Purpose.ACCOUNTS, Basis.CONTRACT,
        keys=("profile",), tables=("people", "emails", "passwords", "operators"),
        events=("person-registered", "password-changed", "operator-appointed"),
    ),
    Retention(
        "organizations", None, "organizations, members, invitations, keys, notifications",
        Purpose.ACCOUNTS, Basis.CONTRACT,
        keys=("content", "profile"),
        tables=(
            "organizations", "slugs", "members", "memberships", "invitations", "api_keys",
        ),
        events=(
            "organization-founded", "member-added", "member-removed", "member-role-changed",
            "invitation-issued", "invitation-accepted", "invitation-withdrawn",
            "api-key-created", "api-key-revoked",
        ),
    ),
    Retention(
        "notifications", None, "what people were told about their organizations",
        Purpose.MESSAGES, Basis.CONTRACT, tables=("notifications",),
        events=("notification-raised", "notification-read"),
    ),
    Retention(
        "keys", None, "that data keys were made and destroyed: the proof of forgetting",
        Purpose.TRAIL, Basis.LEGAL_OBLIGATION, events=("key-created", "keys-destroyed"),
    ),
    Retention(
        "key-store", None, "data keys, wrapped, until they are destroyed; then that they were",
        Purpose.ACCOUNTS, Basis.CONTRACT, files=("keys/keys.db",),
        keys=("installation",),
    ),
)  # fmt: skip
