"""Data keys: handed out wrapped, to the services that the contracts grant; destroyed for ever."""

from typing import Annotated

from faststream import Depends
from faststream.nats import NatsMessage, NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import Forbidden, NotFound
from libs.common.grants import GRANTS, key_subject
from libs.common.keys import FindKey, FindKeyById, KeyFound, OwnedKeyFound
from libs.common.messages import Meta
from services.identity.contract import SERVICE, KeysDestroyed
from services.identity.domain.small import destruction
from services.identity.parts import Parts, keys_stream, only_services


async def subject_of(message: NatsMessage) -> str:
    return message.raw_message.subject


AskedOn = Annotated[str, Depends(subject_of)]


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()

    @r.subscriber(f"{FindKey.type}.*.*", queue=SERVICE)
    async def find_key(query: FindKey, meta: CausedBy, subject: AskedOn) -> NatsResponse:
        granted(meta, query, subject)
        late = query.purpose == "audit" and query.owner.startswith(("per_", "org_"))
        fetch = parts.keystore.fetch_late if late else parts.keystore.fetch
        found = await fetch(query.owner, query.purpose)
        if found is None:
            raise NotFound
        return reply(KeyFound(kid=found.kid, wrapped=found.wrapped))

    @r.subscriber(f"{FindKeyById.type}.*.*", queue=SERVICE)
    async def find_key_by_id(query: FindKeyById, meta: CausedBy, subject: AskedOn) -> NatsResponse:
        granted(meta, query, subject)
        found = await parts.keystore.fetch_by_id(query.kid, query.purpose)
        if found is None:
            raise NotFound
        owner, key = found
        return reply(OwnedKeyFound(owner=owner, kid=key.kid, wrapped=key.wrapped))

    return r


def granted(meta: Meta, query: FindKey | FindKeyById, subject: str) -> None:
    """Who asks and for which purpose stands in the subject, which only that service may use."""
    asks = only_services(meta)
    if subject != key_subject(query.type, query.purpose, asks):
        raise Forbidden(f"{asks} asks for a key of purpose {query.purpose} as somebody else")
    if query.purpose not in GRANTS.get(asks, frozenset()):
        raise Forbidden(f"{asks} opens nothing of purpose {query.purpose}")


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
