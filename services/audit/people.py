"""Keys of people: what tells of a person is sealed once more under a key that dies with them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from libs.common.grants import Purpose
from libs.common.keys import FetchById
from libs.common.once import Kept
from libs.common.privacy import KEEP_S, MISSED_S, DataKey, Forgotten, KeyRing, unwrap

PURPOSE: Purpose = "audit"
PERSON = "per_"
Destroyed = Callable[[str], Awaitable[bool]]


def is_person(actor: str) -> bool:
    return actor.startswith(PERSON)


class People:
    """Finds a person's key by the person, to seal, and by its own id, to open.

    A detail names the key and not the person: when the key is gone nobody can tell whose it was.
    What the ledger calls `destroyed` stays so, also when a restored key store has it again.
    """

    def __init__(
        self, ring: KeyRing, kek: bytes, fetch: FetchById, destroyed: Destroyed | None = None
    ) -> None:
        self._ring, self._kek, self._fetch, self._destroyed = ring, kek, fetch, destroyed
        self._by_id: Kept[str, DataKey | None] = Kept(
            lambda key: KEEP_S if key is not None else MISSED_S
        )

    async def of(self, persons: Iterable[str]) -> dict[str, DataKey | None]:
        """The key of each; None for a person who is forgotten."""
        wanted = list(persons)
        return dict(zip(wanted, await asyncio.gather(*map(self._key, wanted)), strict=True))

    async def _key(self, person: str) -> DataKey | None:
        try:
            return self._ring.at_hand(person, PURPOSE) or await self._ring.key(person, PURPOSE)
        except Forgotten:
            return None

    async def by_id(self, kid: str) -> DataKey | None:
        """None when the key is destroyed."""
        return await self._by_id.get(kid, lambda: self._asked(kid))

    async def _asked(self, kid: str) -> DataKey | None:
        found = await self._fetch(kid)
        if found is None or (self._destroyed is not None and await self._destroyed(kid)):
            return None
        owner, key = found
        return DataKey(owner, PURPOSE, key.kid, unwrap(self._kek, key.kid, key.wrapped))

    def drop(self, person: str, kids: Iterable[str]) -> None:
        """Forgets what was kept of a person's keys."""
        gone = frozenset(kids)
        self._ring.drop(person)
        self._by_id.drop(lambda kid: kid in gone)
