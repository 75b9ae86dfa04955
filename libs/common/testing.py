"""What tests of services share: settings for a test's own servers, and polling with a deadline."""

import asyncio
import base64
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from libs.common.migrate import Schema, migrate
from libs.common.privacy import Fetch, WrappedKey, wrap
from libs.common.settings import Settings

T = TypeVar("T")
PASSWORD = "only-for-tests"  # noqa: S105 - for servers that live as long as a test
KEK = base64.b64encode(b"k" * 32).decode()
INDEX_KEY = base64.b64encode(b"i" * 32).decode()


async def eventually(look: Callable[[], Awaitable[T]], wanted: Callable[[T], bool],
                     timeout_s: float = 15.0) -> T:  # fmt: skip
    """Polls until what `look` gives is `wanted`; fails with the last thing seen."""
    deadline = time.monotonic() + timeout_s
    while True:
        seen = await look()
        if wanted(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s; last seen: {seen!r}")
        await asyncio.sleep(0.02)


def environment(services: Sequence[str], nats_url: str, database_url: str,
                prefix: str = "troth_") -> dict[str, str]:  # fmt: skip
    """The `TROTH_…` variables under which `services` find a test's servers."""
    found = {
        "TROTH_NATS_URL": nats_url, "TROTH_DATABASE_URL": database_url, "TROTH_KEK": KEK,
        "TROTH_INDEX_KEY": INDEX_KEY, "TROTH_PEPPER": INDEX_KEY, "TROTH_DATABASE_PREFIX": prefix,
    }  # fmt: skip
    for service in services:
        for name in ("SYSTEM_PASSWORD", "READER_PASSWORD", "NATS_PASSWORD"):
            found[f"TROTH_{service.upper()}_{name}"] = PASSWORD
    return found


def prepare(admin_url: str, schemas: Sequence[Schema], nats_url: str,
            prefix: str = "troth_") -> Settings:  # fmt: skip
    """Migrates the databases of `schemas` on a test's server; the settings to build with."""
    passwords = {schema.service: (PASSWORD, PASSWORD) for schema in schemas}
    migrate(admin_url, schemas, passwords, prefix)
    os.environ |= environment([s.service for s in schemas], nats_url, admin_url, prefix)
    return Settings()  # pyright: ignore[reportCallIssue] - read from the environment


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
