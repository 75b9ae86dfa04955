"""What tests of services share: settings for a test's own servers, and polling with a deadline."""

import asyncio
import base64
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import psycopg
from nats.aio.client import Client

from libs.common.database import Database
from libs.common.migrate import Schema, migrate
from libs.common.privacy import Fetch, WrappedKey, wrap
from libs.common.settings import Settings
from libs.common.sweeping import Sweep

T = TypeVar("T")
PASSWORD = "only-for-tests"  # noqa: S105 - for servers that live as long as a test
KEK = base64.b64encode(b"k" * 32).decode()
INDEX_KEY = base64.b64encode(b"i" * 32).decode()


async def arrived(client: Client) -> None:
    """Until the server has read all that this client wrote: its first PING passes pending SUBs."""
    for _ in range(2):
        await client.flush()


async def eventually(look: Callable[[], Awaitable[T]], wanted: Callable[[T], bool],
                     timeout_s: float = 40.0) -> T:  # fmt: skip
    """Polls until what `look` gives is `wanted`; fails with the last thing seen.

    What takes long is looked at more rarely, for the looking takes time from what is waited for.
    """
    begun = time.monotonic()
    while True:
        seen = await look()
        if wanted(seen):
            return seen
        waited = time.monotonic() - begun
        if waited > timeout_s:
            raise AssertionError(f"not within {timeout_s} s; last seen: {seen!r}")
        await asyncio.sleep(min(0.02 + waited / 20, 0.1))


async def swept(database: Database, sweeps: Sequence[Sweep], at: datetime) -> list[int]:
    """Applies them as if it were then; how many rows each took away."""
    gone = [0] * len(sweeps)
    for i, sweep in enumerate(sweeps):
        while bite := await sweep.run(database, at):
            gone[i] += bite
    return gone


def environment(services: Sequence[str], nats_url: str, database_url: str,
                prefix: str = "troth_") -> dict[str, str]:  # fmt: skip
    """The `TROTH_…` variables under which `services` find a test's servers."""
    found = {
        "TROTH_NATS_URL": nats_url, "TROTH_DATABASE_URL": database_url, "TROTH_KEK": KEK,
        "TROTH_INDEX_KEY": INDEX_KEY, "TROTH_PEPPER": INDEX_KEY, "TROTH_DATABASE_PREFIX": prefix,
    }  # fmt: skip
    for service in services:
        for name in ("SYSTEM_PASSWORD", "READER_PASSWORD", "SIGNER_PASSWORD", "NATS_PASSWORD"):
            found[f"TROTH_{service.upper()}_{name}"] = PASSWORD
    return found


_templates: dict[tuple[str, int], tuple[Schema, str]] = {}


def prepare(admin_url: str, schemas: Sequence[Schema], nats_url: str,
            prefix: str = "troth_") -> Settings:  # fmt: skip
    """New databases of `schemas` on a test's server; the settings to build with.

    Each schema is migrated once, into a template to which nobody connects.
    """
    with psycopg.connect(admin_url, autocommit=True) as admin:
        for schema in schemas:
            _copy(admin, _template(admin_url, schema), schema, f"{prefix}{schema.service}")
    os.environ |= environment([s.service for s in schemas], nats_url, admin_url, prefix)
    return Settings()  # pyright: ignore[reportCallIssue] - read from the environment


def _template(admin_url: str, schema: Schema) -> str:
    """The name of its database; the schema is kept, so that no other one gets its id."""
    key = admin_url, id(schema)
    if key not in _templates:
        prefix = f"template{secrets.token_hex(4)}_"
        passwords = (PASSWORD,) * (2 + len(schema.logins))
        migrate(admin_url, [schema], {schema.service: passwords}, prefix)
        _templates[key] = schema, f"{prefix}{schema.service}"
    return _templates[key][1]


def _copy(admin: psycopg.Connection[Any], template: str, schema: Schema, name: str) -> None:
    service = schema.service
    roles = ", ".join(f"{service}_{role}" for role in ("system", "reader", *schema.logins))
    for statement in (
        f"create database {name} owner {service}_owner template {template} strategy file_copy",
        f"revoke all on database {name} from public",  # rights on a database are not copied
        f"grant connect on database {name} to {roles}",
    ):
        admin.execute(statement.encode())


def local_keys() -> Fetch:
    """Stands in for identity's key store: a key for whoever asks, the same each time."""
    made: dict[tuple[str, str], WrappedKey] = {}

    async def fetch(owner: str, purpose: str) -> WrappedKey | None:
        if (owner, purpose) not in made:
            kid = f"k{len(made) + 1}"
            secret = wrap(base64.b64decode(KEK), kid, os.urandom(32))
            made[owner, purpose] = WrappedKey(kid, secret)
        return made[owner, purpose]

    return fetch
