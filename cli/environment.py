"""The settings of each process of an installation: what it needs, and nobody else's passwords."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from libs.embedded.secrets import Secrets

PASSWORD = re.compile(r"TROTH_([A-Z]+_)*PASSWORD")
CODE = str(Path(__file__).parents[1])
# Without kept bytecode every start compiles our own code anew; more arenas only waste memory.
HINDERING = frozenset({"PYTHONDONTWRITEBYTECODE"})
ARENAS = {"MALLOC_ARENA_MAX": "2"}
SECRET = frozenset({"TROTH_PEPPER", "TROTH_OPERATOR_TOKEN", "TROTH_DATABASE_URL", "TROTH_TOKEN"})


@dataclass(frozen=True)
class Servers:
    """Where the bus and the database are; `admin_url` may create roles and databases."""

    nats_url: str
    admin_url: str

    @property
    def database_url(self) -> str:
        """The same server without a user: each service has its own."""
        return without_user(self.admin_url)


@dataclass(frozen=True)
class Wanted:
    """What the caller of `troth up` chose."""

    data: Path
    executors: int = 1
    port: int = 8080
    sign_up: str = "open"
    allow: Sequence[str] = field(default_factory=tuple)


def without_user(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    return urlunsplit((parts.scheme, f"{host}:{parts.port}" if parts.port else host, "", "", ""))


def for_process(
    services: Sequence[str],
    secrets: Secrets,
    servers: Servers,
    wanted: Wanted,
    *,
    http_port: int,
    ops_port: int,
) -> dict[str, str]:
    """The environment of a process that serves `services`; the caller's own settings stay."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in SECRET and name not in HINDERING and not PASSWORD.fullmatch(name)
    }
    own = {
        "TROTH_NATS_URL": servers.nats_url,
        "TROTH_DATABASE_URL": servers.database_url,
        "TROTH_DATA_DIR": str(wanted.data),
        "TROTH_KEK": secrets.key_encryption_key,
        "TROTH_INDEX_KEY": secrets.index_key,
        "TROTH_SIGN_UP": wanted.sign_up,
        "TROTH_HTTP_PORT": str(http_port),
        "TROTH_OPS_PORT": str(ops_port),
    }
    if wanted.allow:
        own["TROTH_EGRESS_ALLOW"] = ",".join(wanted.allow)
    if "identity" in services:
        own |= {"TROTH_PEPPER": secrets.pepper, "TROTH_OPERATOR_TOKEN": secrets.operator_token}
    for service in services:
        own |= _passwords(service, secrets, bus=True)
    return with_code(ARENAS | inherited | own)


def with_code(environment: Mapping[str, str]) -> dict[str, str]:
    """Processes of ours find this very code, wherever they are started."""
    known = environment.get("PYTHONPATH")
    path = os.pathsep.join([CODE, known]) if known else CODE
    return {**environment, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def for_migration(services: Sequence[str], secrets: Secrets, admin_url: str) -> Mapping[str, str]:
    """The one process that sees the passwords of all databases, and none of the keys."""
    environment = with_code(os.environ) | {"TROTH_DATABASE_URL": admin_url}
    environment.pop("TROTH_MIGRATE_NATS_PASSWORD", None)
    for service in services:
        environment |= _passwords(service, secrets, bus=False)
    return environment


def _passwords(service: str, secrets: Secrets, *, bus: bool) -> dict[str, str]:
    prefix = f"TROTH_{service.upper()}"
    found = {
        f"{prefix}_{role.upper()}_PASSWORD": password
        for role, password in secrets.databases[service].items()
    }
    return found | ({f"{prefix}_NATS_PASSWORD": secrets.nats[service]} if bus else {})
