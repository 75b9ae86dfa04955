"""Servers for a test: on free ports, in a folder that is gone afterwards."""

import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from libs.embedded.binaries import find_postgres
from libs.embedded.folder import free_port
from libs.embedded.nats import Nats, NatsUser
from libs.embedded.postgres import DURABILITY, Postgres

# `drop database` waits for whoever began to connect and never went on, so that is not for long.
QUICK = dict.fromkeys(DURABILITY, "off") | {"authentication_timeout": "5s"}
# Tests connect ten thousands of times, and each time a client has to go through all iterations.
QUICK_SINCE_16 = {"scram_iterations": "1"}
EVERYTHING = NatsUser("test", "test", publish=(">",), subscribe=(">",))


@contextmanager
def temporary_postgres(fast: bool = True) -> Iterator[Postgres]:
    """`fast` gives up durability; without it the server is set as `troth up` sets it."""
    quick = QUICK | (QUICK_SINCE_16 if find_postgres().major >= 16 else {})
    with tempfile.TemporaryDirectory(prefix="troth-postgres-") as folder:
        server = Postgres(
            Path(folder, "data"),
            free_port(),
            secrets.token_urlsafe(12),
            durable=not fast,
            options=quick if fast else None,
        )
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def temporary_nats(users: Sequence[NatsUser] | None = None) -> Iterator[Nats]:
    """Without `users` there is one named `test` who may do everything: `nats.url("test")`."""
    with tempfile.TemporaryDirectory(prefix="troth-nats-") as folder:
        port = free_port()
        server = Nats(Path(folder, "nats"), port, free_port(but=(port,)), users or (EVERYTHING,))
        try:
            server.start()
            yield server
        finally:
            server.stop()
