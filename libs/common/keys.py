"""How a service gets a data key: asked of identity, still wrapped, kept in memory only."""

from libs.common.bus import Bus
from libs.common.errors import NotFound
from libs.common.fields import KeyId, OwnerId, SealedSecret
from libs.common.grants import GRANTS as GRANTS
from libs.common.grants import Purpose
from libs.common.messages import Message, Meta, Query
from libs.common.privacy import Fetch, WrappedKey


class KeyFound(Message):
    kid: KeyId
    wrapped: SealedSecret


class FindKey(Query, type="identity.query.find-key", answers=KeyFound):
    """The wrapped data key of an organization or person for one purpose."""

    owner: OwnerId
    purpose: Purpose


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
