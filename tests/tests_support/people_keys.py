"""Stands in for identity's key store: a key for each owner and purpose, which can be destroyed."""

import base64
import os

from libs.common.privacy import WrappedKey, wrap
from libs.common.testing import KEK


class PeopleKeys:
    """Who was forgotten gets no key any more."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], WrappedKey | None] = {}

    async def fetch(self, owner: str, purpose: str) -> WrappedKey | None:
        if (owner, purpose) not in self._made:
            kid = f"k{len(self._made) + 1}"
            secret = wrap(base64.b64decode(KEK), kid, os.urandom(32))
            self._made[owner, purpose] = WrappedKey(kid, secret)
        return self._made[owner, purpose]

    async def fetch_by_id(self, kid: str) -> tuple[str, WrappedKey] | None:
        for (owner, _), key in self._made.items():
            if key is not None and key.kid == kid:
                return owner, key
        return None

    def destroy(self, owner: str, purpose: str = "audit") -> list[str]:
        """The ids of the keys that are gone."""
        key = self._made.get((owner, purpose))
        self._made[owner, purpose] = None
        return [key.kid] if key is not None else []
