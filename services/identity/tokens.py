"""Tokens of sessions and API keys: 256 random bits, of which only a digest is kept."""

import hashlib
import secrets
from typing import Literal

# The beginning lets scanners for leaked secrets know them.
PREFIXES = {"session": "troth_ses_", "api-key": "troth_key_"}


def new_token(kind: Literal["session", "api-key"]) -> str:
    return PREFIXES[kind] + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
