"""Tokens of sessions, API keys, invitations, links: 256 random bits; only a digest is kept."""

import hashlib
import secrets
from typing import Literal

# The beginning lets scanners for leaked secrets know them.
Kind = Literal["session", "api-key", "invitation", "sign-in-link"]
PREFIXES: dict[Kind, str] = {
    "session": "troth_ses_", "api-key": "troth_key_", "invitation": "troth_inv_",
    "sign-in-link": "troth_lnk_",
}  # fmt: skip


def new_token(kind: Kind) -> str:
    return PREFIXES[kind] + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
