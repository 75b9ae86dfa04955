"""How a service gets a data key: asked of identity, still wrapped, kept in memory only."""

from collections.abc import Awaitable, Callable

from libs.common.bus import Bus
from libs.common.errors import NotFound
from libs.common.fields import KeyId, OwnerId, SealedSecret
from libs.common.grants import GRANTS as GRANTS
from libs.common.grants import Purpose
from libs.common.messages import Message, Meta, Query
from libs.common.privacy import Fetch, WrappedKey

FetchById = Callable[[str], Awaitable[tuple[str, WrappedKey] | None]]
"""From the id of a key to its owner and the key."""


class KeyFound(Message):
    kid: KeyId
    wrapped: SealedSecret


class OwnedKeyFound(Message):
    owner: OwnerId
    kid: KeyId
    wrapped: SealedSecret


class FindKeyById(Query, type="identity.query.find-key-by-id", answers=OwnedKeyFound):
    """The wrapped data key of this id, and whose it is."""

    kid: KeyId
    purpose: Purpose


class FindKey(Query, type="identity.query.find-key", answers=KeyFound):
    """The wrapped data key of an organization or person for one purpose."""

    owner: OwnerId
    purpose: Purpose


def ask_identity_by_id(bus: Bus, purpose: Purpose) -> FetchById:
    async def fetch(kid: str) -> tuple[str, WrappedKey] | None:
        try:
            answer = await bus.ask(FindKeyById(kid=kid, purpose=purpose), Meta.system(bus.service))
        except NotFound:
            return None
        found = answer.as_a(OwnedKeyFound)
        return found.owner, WrappedKey(found.kid, found.wrapped)

    return fetch


def ask_identity(bus: Bus) -> Fetch:
    async def fetch(owner: str, purpose: str) -> WrappedKey | None:
        try:
            query = FindKey.model_validate({"owner": owner, "purpose": purpose})
            answer = await bus.ask(query, Meta.system(bus.service))
        except NotFound:
            return None
        found = answer.as_a(KeyFound)
        return WrappedKey(found.kid, found.wrapped)

    return fetch
