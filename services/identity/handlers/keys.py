"""Data keys: handed out wrapped, to the services that the contracts grant; destroyed for ever."""

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import Forbidden, NotFound
from libs.common.keys import GRANTS, FindKey, FindKeyById, KeyFound, OwnedKeyFound
from libs.common.messages import Meta
from services.identity.contract import SERVICE, KeysDestroyed
from services.identity.domain.small import destruction
from services.identity.parts import Parts, keys_stream, only_services


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()

    @r.subscriber(FindKey.type, queue=SERVICE)
    async def find_key(query: FindKey, meta: CausedBy) -> NatsResponse:
        granted(meta, query.purpose)
        late = query.purpose == "audit" and query.owner.startswith(("per_", "org_"))
        fetch = parts.keystore.fetch_late if late else parts.keystore.fetch
        found = await fetch(query.owner, query.purpose)
        if found is None:
            raise NotFound
        return reply(KeyFound(kid=found.kid, wrapped=found.wrapped))

    @r.subscriber(FindKeyById.type, queue=SERVICE)
    async def find_key_by_id(query: FindKeyById, meta: CausedBy) -> NatsResponse:
        granted(meta, query.purpose)
        found = await parts.keystore.fetch_by_id(query.kid, query.purpose)
        if found is None:
            raise NotFound
        owner, key = found
        return reply(OwnedKeyFound(owner=owner, kid=key.kid, wrapped=key.wrapped))

    return r


def granted(meta: Meta, purpose: str) -> None:
    asks = only_services(meta)
    if purpose not in GRANTS.get(asks, frozenset()):
        raise Forbidden(f"{asks} opens nothing of purpose {purpose}")


async def destroy_keys(parts: Parts, owner: str) -> None:
    """Forgets an owner: the keys first, then, once, the fact that empties everybody's caches.

    Called again after a crash between the two it records what is missing.
    """
    kids = await parts.keystore.destroy(owner)
    parts.service.keys.drop(owner)
    if not kids:
        return
    organization = owner if owner.startswith("org_") else "instance"
    await parts.service.store.execute(
        destruction, keys_stream(owner), KeysDestroyed(owner_id=owner, kids=kids),
        Meta.system("identity", organization),
    )  # fmt: skip
