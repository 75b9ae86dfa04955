"""Data keys: handed out wrapped, to the services that the contracts grant; destroyed for ever."""

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import Forbidden, NotFound
from libs.common.keys import GRANTS, FindKey, KeyFound
from libs.common.messages import Meta
from services.identity.contract import SERVICE, KeysDestroyed
from services.identity.domain.small import destruction
from services.identity.parts import Parts, keys_stream, only_services


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()

    @r.subscriber(FindKey.type, queue=SERVICE)
    async def find_key(query: FindKey, meta: CausedBy) -> NatsResponse:
        asks = only_services(meta)
        if query.purpose not in GRANTS.get(asks, frozenset()):
            raise Forbidden(f"{asks} opens nothing of purpose {query.purpose}")
        found = await parts.keystore.fetch(query.owner, query.purpose)
        if found is None:
            raise NotFound
        return reply(KeyFound(kid=found.kid, wrapped=found.wrapped))

    return r


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
