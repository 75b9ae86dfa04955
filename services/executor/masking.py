"""Values of secrets never come back: they are masked in whatever a call returned."""

import base64
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "•••"
SHORTEST = 4


def forms(secret: str) -> list[str]:
    """How a secret may come back: as it is, in base 64, URL-encoded, reversed."""
    raw = secret.encode()
    standard, url = base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()
    found = {
        secret, standard, standard.rstrip("="), url, url.rstrip("="), quote(secret, safe=""),
        quote_plus(secret), secret[::-1], raw.hex(),
    }  # fmt: skip
    return sorted((f for f in found if len(f) >= SHORTEST), key=len, reverse=True)


def masked(value: Any, secrets: list[str]) -> Any:
    """A copy of a JSON value without any form of the secrets, in keys and texts."""
    if not secrets:
        return value
    return _masked(value, [form for secret in secrets for form in forms(secret)])


def _masked(value: Any, hidden: list[str]) -> Any:
    if isinstance(value, str):
        for form in hidden:
            value = value.replace(form, MASK)
        return value
    if isinstance(value, list):
        return [_masked(item, hidden) for item in value]
    if isinstance(value, dict):
        return {_masked(name, hidden): _masked(item, hidden) for name, item in value.items()}
    return value


class MaskedBytes:
    """Takes a content piece by piece and gives it back without any form of the secrets."""

    def __init__(self, secrets: list[str]) -> None:
        self._hidden = [form.encode() for secret in secrets for form in forms(secret)]
        self._longest = max(map(len, self._hidden), default=1)
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be told by now: the beginning of a secret may stand at the end."""
        whole = self._held + data
        for form in self._hidden:
            whole = whole.replace(form, MASK.encode())
        cut = max(0, len(whole) - self._longest + 1)
        self._held = whole[cut:]
        return whole[:cut]

    def rest(self) -> bytes:
        return self._held
