"""Keys that were destroyed and came back in an older copy of the key store: destroyed again.

Every owner who has a living key is looked up in identity's own log before anything is answered, and
in audit's forget ledger as soon as audit answers: the database may be an older copy too.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence

from libs.common.database import LOST
from libs.common.errors import DomainError, Unavailable
from libs.common.messages import Meta
from services.audit.contract import DestroyedKeysFound, FindDestroyedKeys
from services.identity.contract import SERVICE, KeysDestroyed
from services.identity.handlers.keys import destroy_keys
from services.identity.parts import Parts, keys_stream

log = logging.getLogger(__name__)
RETRY_S = 1.0
AT_ONCE = 1000
DESTROYED = "select distinct stream from log where stream = any(%s) and type = %s"


async def apply_own_log(parts: Parts) -> None:
    """Before anything is served; waits until key store and database answer."""
    while True:
        try:
            returned = await _destroyed_by_log(parts, list(await parts.keystore.living()))
            break
        except (Unavailable, *LOST) as error:
            log.warning("destroyed keys not looked for", extra={"cause": type(error).__name__})
            await asyncio.sleep(RETRY_S)
    for owner in returned:
        await parts.keystore.destroy(owner)
    _say(returned, "its log")


async def _destroyed_by_log(parts: Parts, owners: Sequence[str]) -> list[str]:
    found: list[str] = []
    async with parts.service.database.work() as connection:
        for some in _pieces(owners):
            streams = {keys_stream(owner): owner for owner in some}
            rows = await connection.exec_driver_sql(DESTROYED, (list(streams), KeysDestroyed.type))
            found += [streams[name] for name in rows.scalars()]
    return found


async def apply_ledger(parts: Parts) -> None:
    """Once in the life of a process; what identity's own log has lost is recorded in it anew."""
    while True:
        try:
            returned = await _destroyed_by_ledger(parts)
            for owner in returned:
                await destroy_keys(parts, owner)
            break
        except (DomainError, *LOST) as error:
            log.info("the forget ledger is not read yet", extra={"cause": type(error).__name__})
            await asyncio.sleep(RETRY_S)
    _say(returned, "the ledger of audit")


async def _destroyed_by_ledger(parts: Parts) -> list[str]:
    living = await parts.keystore.living()
    owner_of = {kid: owner for owner, kids in living.items() for kid in kids}
    found: set[str] = set()
    for kids in _pieces(list(owner_of)):
        query = FindDestroyedKeys(kids=kids)
        answer = await parts.service.bus.ask(query, Meta.system(SERVICE))
        found |= {owner_of[kid] for kid in answer.as_a(DestroyedKeysFound).kids}
    return sorted(found)


def _pieces(things: Sequence[str]) -> Iterator[list[str]]:
    for begin in range(0, len(things), AT_ONCE):
        yield list(things[begin : begin + AT_ONCE])


def _say(returned: Sequence[str], who: str) -> None:
    if returned:
        log.critical(
            "an older copy of the key store had keys that %s says are destroyed: destroyed again",
            who, extra={"owners": len(returned)},
        )  # fmt: skip
