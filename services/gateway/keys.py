"""Idempotency keys as they come, and the one under which a refused start can be sent again."""

import secrets

from libs.common.errors import FieldProblem, Malformed


def key_of(text: str | None) -> str | None:
    """An idempotency key as it came: 1 to 255 visible characters."""
    if text is None:
        return None
    if not _fits(text):
        problem = FieldProblem(
            pointer="Idempotency-Key", rule="key", detail="1 to 255 visible characters"
        )
        raise Malformed("Idempotency-Key can't be used", errors=[problem])
    return text


def key_to_repeat(given: str | None) -> str:
    """The caller's own when it can be one, else one of ours; a 503 says it, sent or not."""
    return given if given is not None and _fits(given) else secrets.token_urlsafe(18)


def _fits(text: str) -> bool:
    return 1 <= len(text) <= 255 and all(0x21 <= ord(c) <= 0x7E for c in text)
