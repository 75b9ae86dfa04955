"""The key store: one wrapped data key per owner and purpose, in a database of its own."""

import asyncio
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    Table,
    create_engine,
    event,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from libs.common import clock
from libs.common.errors import Unavailable
from libs.common.fields import KeyId, Moment, OwnerId, SealedSecret, Word
from libs.common.privacy import Forgotten, WrappedKey, wrap
from libs.common.tables import column

T = TypeVar("T")
# Their own: everybody waits for keys, and would wait behind passwords and documents otherwise.
THREADS = ThreadPoolExecutor(2, "keys")
metadata = MetaData()
data_keys = Table(
    "data_keys", metadata,
    column("owner", OwnerId, primary_key=True),
    column("purpose", Word, primary_key=True),
    column("kid", KeyId),
    column("wrapped", SealedSecret | None),
    column("destroyed_at", Moment | None),
)  # fmt: skip


class KeyStore:
    """Makes a key once for an owner and purpose, for ever: what is destroyed stays a tombstone."""

    def __init__(self, url: str, kek: bytes) -> None:
        self._url, self._kek = url, kek
        self._engine: Engine | None = None
        self._opening = threading.Lock()

    async def ensure(self, owner: str, purposes: Iterable[str]) -> dict[str, str]:
        """Purpose -> key id; makes what is missing. Forgotten when they were destroyed."""
        return await self._run(lambda db: {p: self._ensure(db, owner, p) for p in purposes})

    async def fetch(self, owner: str, purpose: str) -> WrappedKey | None:
        """The wrapped key, or None when there is none (any more)."""
        return await self._run(lambda db: _find(db, owner, purpose))

    async def fetch_late(self, owner: str, purpose: str) -> WrappedKey | None:
        """As `fetch`; makes the key of a purpose that is younger than its owner's other keys.

        Who is forgotten has no living key, and gets none.
        """
        return await self._run(
            lambda db: _find(db, owner, purpose) or self._add(db, owner, purpose)
        )

    async def fetch_by_id(self, kid: str, purpose: str) -> tuple[str, WrappedKey] | None:
        """The owner and the wrapped key; None when it is destroyed."""
        return await self._run(lambda db: _find_by_id(db, kid, purpose))

    async def living(self) -> dict[str, list[str]]:
        """Owner -> the ids of the keys that are not destroyed."""
        return await self._run(_living)

    async def destroy(self, owner: str) -> list[str]:
        """Destroys all keys of an owner and names them; what they sealed reads as `forgotten`."""
        return await self._run(lambda db: _destroy(db, owner))

    def _ensure(self, db: Connection, owner: str, purpose: str) -> str:
        kid = f"k{secrets.token_hex(8)}"
        db.execute(
            text(
                "insert into data_keys (owner, purpose, kid, wrapped)"
                " values (:owner, :purpose, :kid, :wrapped) on conflict do nothing"
            ),
            {
                "owner": owner,
                "purpose": purpose,
                "kid": kid,
                "wrapped": wrap(self._kek, kid, secrets.token_bytes(32)),
            },
        )
        found = _find(db, owner, purpose)
        if found is None:
            raise Forgotten(owner)
        return found.kid

    def _add(self, db: Connection, owner: str, purpose: str) -> WrappedKey | None:
        alive = (data_keys.c.owner == owner) & data_keys.c.wrapped.is_not(None)
        if db.execute(select(data_keys.c.kid).where(alive).limit(1)).first() is None:
            return None
        self._ensure(db, owner, purpose)
        return _find(db, owner, purpose)

    async def _run(self, work: Callable[[Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(THREADS, self._in_transaction, work)

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._opened().begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise Unavailable("the key store does not answer", part="key store") from error

    def _opened(self) -> Engine:
        with self._opening:
            if self._engine is None:
                engine = _engine(self._url)
                metadata.create_all(engine)
                self._engine = engine
            return self._engine

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()


def _engine(address: str) -> Engine:
    url = make_url(address)
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_size=1, max_overflow=2, pool_pre_ping=True)
    path = Path(url.database or "")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)
    engine = create_engine(url, connect_args={"timeout": 10})
    event.listen(engine, "connect", _careful)
    return engine


def _careful(connection: sqlite3.Connection, _: object) -> None:
    """A key is on the disk before it is used, and gone from the file when it is destroyed."""
    for pragma in ("journal_mode = delete", "synchronous = full", "secure_delete = on"):
        connection.execute(f"pragma {pragma}")


def _find(db: Connection, owner: str, purpose: str) -> WrappedKey | None:
    row = db.execute(
        select(data_keys.c.kid, data_keys.c.wrapped).where(
            data_keys.c.owner == owner, data_keys.c.purpose == purpose
        )
    ).first()
    return WrappedKey(row.kid, row.wrapped) if row is not None and row.wrapped else None


def _find_by_id(db: Connection, kid: str, purpose: str) -> tuple[str, WrappedKey] | None:
    row = db.execute(
        select(data_keys.c.owner, data_keys.c.wrapped).where(
            data_keys.c.kid == kid, data_keys.c.purpose == purpose
        )
    ).first()
    return (row.owner, WrappedKey(kid, row.wrapped)) if row is not None and row.wrapped else None


def _living(db: Connection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    alive = data_keys.c.wrapped.is_not(None)
    for owner, kid in db.execute(select(data_keys.c.owner, data_keys.c.kid).where(alive)):
        found.setdefault(owner, []).append(kid)
    return found


def _destroy(db: Connection, owner: str) -> list[str]:
    theirs = data_keys.c.owner == owner
    alive = theirs & data_keys.c.wrapped.is_not(None)
    db.execute(update(data_keys).where(alive).values(wrapped=None, destroyed_at=clock.now()))
    return list(db.scalars(select(data_keys.c.kid).where(theirs).order_by(data_keys.c.purpose)))
