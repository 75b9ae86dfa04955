"""What identity keeps, and how long."""

from libs.common.retention import Retention

RULES = (
    Retention("attempts", 1, "tries to sign in, by keyed digests, for the limits of a minute"),
    Retention("refused_sign_ins", 1, "counts of a minute, until they are an event"),
    Retention("access_counts", 1, "counts of a minute, until they are an event"),
    Retention("tokens", 14, "digests of sessions' tokens; of API keys until they are revoked"),
    Retention(
        "one_time_tokens",
        37,
        "digests of the tokens of invitations (7 days) and sign-in"
        " links, and 30 days longer, so that a late one is told what is wrong",
    ),
    Retention("people", None, "name and e-mail address, sealed under the person's key"),
    Retention("organizations", None, "organizations, members, invitations, keys, notifications"),
)
