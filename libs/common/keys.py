"""How a service gets a data key: asked of identity, still wrapped, kept in memory only.

The subject says which purpose and who asks (libs/common/grants.py): the bus refuses the others.
"""

from collections.abc import Awaitable, Callable

from libs.common.bus import Bus
from libs.common.errors import NotFound
from libs.common.fields import KeyId, OwnerId, SealedSecret
from libs.common.grants import FIND_KEY, FIND_KEY_BY_ID, Purpose, key_subject
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


class FindKeyById(Query, type=FIND_KEY_BY_ID, answers=OwnedKeyFound):
    """The wrapped data key of this id, and whose it is."""

    kid: KeyId
    purpose: Purpose


class FindKey(Query, type=FIND_KEY, answers=KeyFound):
    """The wrapped data key of an organization or person for one purpose."""

    owner: OwnerId
    purpose: Purpose


def ask_identity_by_id(bus: Bus, purpose: Purpose) -> FetchById:
    subject = key_subject(FIND_KEY_BY_ID, purpose, bus.service)

    async def fetch(kid: str) -> tuple[str, WrappedKey] | None:
        try:
            query = FindKeyById(kid=kid, purpose=purpose)
            answer = await bus.ask(query, Meta.system(bus.service), subject=subject)
        except NotFound:
            return None
        found = answer.as_a(OwnedKeyFound)
        return found.owner, WrappedKey(found.kid, found.wrapped)

    return fetch


def ask_identity(bus: Bus) -> Fetch:
    async def fetch(owner: str, purpose: str) -> WrappedKey | None:
        try:
            query = FindKey.model_validate({"owner": owner, "purpose": purpose})
            subject = key_subject(FIND_KEY, query.purpose, bus.service)
            answer = await bus.ask(query, Meta.system(bus.service), subject=subject)
        except NotFound:
            return None
        found = answer.as_a(KeyFound)
        return WrappedKey(found.kid, found.wrapped)

    return fetch
