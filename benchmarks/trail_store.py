"""The trail alone, for measuring: a PostgreSQL with audit's tables, and what reads and writes it.

Durable and set as `troth up` sets it, in a folder that can be kept and opened again.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.common.database import Database
from libs.common.migrate import migrate
from libs.common.privacy import KeyRing, WrappedKey, wrap
from libs.embedded.durability import write_private
from libs.embedded.folder import free_port
from libs.embedded.postgres import Postgres
from services.audit.app import SCHEMA
from services.audit.daykeys import DayKeys
from services.audit.people import People
from services.audit.settings import places_in
from services.audit.writing import Writer

KEK = b"k" * 32
PRODUCERS = ("executor", "subscriptions")
READERS = "insert into readers (name) values (%s) on conflict do nothing"


class Keys:
    """Stands in for identity: the key of each person, the same in every process."""

    async def fetch(self, owner: str, purpose: str) -> WrappedKey:
        kid = f"k{owner}"
        secret = hmac.digest(KEK, f"{owner} {purpose}".encode(), hashlib.sha256)
        return WrappedKey(kid, wrap(KEK, kid, secret))

    async def fetch_by_id(self, kid: str) -> tuple[str, WrappedKey] | None:
        owner = kid.removeprefix("k")
        return owner, await self.fetch(owner, "audit")


@dataclass(frozen=True)
class Store:
    """Where it is; `admin` is for what only a superuser may do."""

    folder: Path
    port: int
    password: str
    admin: str

    def database(self, kept: int) -> Database:
        url = f"postgresql://127.0.0.1:{self.port}"
        return Database(url, "audit", self.password, self.password, kept=kept)

    def keys(self) -> DayKeys:
        return DayKeys(places_in(self.folder))

    def people(self) -> People:
        keys = Keys()
        return People(KeyRing(KEK, keys.fetch), KEK, keys.fetch_by_id)

    def writer(self) -> Writer:
        return Writer(self.keys(), self.people())


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    """The store of a folder, made where there is none."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = folder / "password"
    if not kept.exists():
        write_private(kept, secrets.token_urlsafe(18))
    password = kept.read_text()
    server = Postgres(folder / "postgres", free_port(), password)
    server.start()
    try:
        migrate(server.dsn(), [SCHEMA], {"audit": (password,) * (2 + len(SCHEMA.logins))})
        yield Store(folder, server.port, password, server.dsn("troth_audit"))
    finally:
        server.stop()
