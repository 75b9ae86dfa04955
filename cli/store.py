"""The services' databases beside a running installation, as their own role `system`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from cli import run_state
from libs.embedded.folder import DataFolder
from libs.embedded.secrets import Secrets, SecretsRefused


class NotThere(Exception):
    """No database answers; the text says what to do."""


class Stores:
    """Where the databases of a data folder are, and the passwords for them."""

    def __init__(self, data: Path) -> None:
        self.folder = DataFolder(data)
        self.data = self.folder.path
        self.state = run_state.read(self.data)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, from the running installation or TROTH_DATABASE_URL."""
        if self.state is not None:
            return self.state.postgres.host, self.state.postgres.port
        given = os.environ.get("TROTH_DATABASE_URL")
        if given:
            parts = urlsplit(given)
            return parts.hostname or "127.0.0.1", parts.port or 5432
        raise NotThere(
            f"nothing runs on {self.data}: start `troth up --data {self.folder.path}`, "
            "or name the folder with --data"
        )

    def secrets(self) -> Secrets:
        try:
            return self.folder.read_secrets()
        except SecretsRefused as error:
            raise NotThere(str(error)) from None

    def settings_of(self, service: str) -> dict[str, Any]:
        host, port = self.address
        password = os.environ.get(f"TROTH_{service.upper()}_SYSTEM_PASSWORD")
        prefix = os.environ.get("TROTH_DATABASE_PREFIX", "troth_")
        return {
            "host": host, "port": port, "dbname": f"{prefix}{service}", "connect_timeout": 3,
            "user": f"{service}_system", "application_name": "troth-cli",
            "password": password or self.secrets().databases[service]["system"],
        }  # fmt: skip

    @contextmanager
    def read(self, service: str) -> Iterator[psycopg.Connection[Any]]:
        """A connection that can't write."""
        try:
            with psycopg.connect(
                **self.settings_of(service), options="-c default_transaction_read_only=on"
            ) as connection:
                yield connection
        except psycopg.OperationalError as error:
            raise NotThere(f"the database of {service} does not answer: {error}") from None
