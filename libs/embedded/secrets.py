"""The secrets of an installation: made once, kept in a file that only its owner may read."""

import base64
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

DATABASE_ROLES = ("system", "reader")
FURTHER_ROLES = {"audit": ("signer",)}


class SecretsRefused(RuntimeError):
    """The secrets cannot be used; the text says why and what to do."""


@dataclass(frozen=True, repr=False)
class Secrets:
    """`databases[service][role]` and `nats[user]` are passwords; keys are 32 bytes in base64."""

    postgres: str
    databases: dict[str, dict[str, str]]
    nats: dict[str, str]
    key_encryption_key: str
    pepper: str
    index_key: str
    operator_token: str

    def __repr__(self) -> str:
        return "Secrets(…)"

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, sort_keys=True)


def complete(known: Secrets | None, services: Sequence[str], nats_users: Sequence[str]) -> Secrets:
    """The known secrets, and new ones only for what has none yet."""
    base = known or Secrets(
        postgres=_password(),
        databases={},
        nats={},
        key_encryption_key=_key(),
        pepper=_key(),
        index_key=_key(),
        operator_token=_password(),
    )
    databases = {
        service: {
            role: base.databases.get(service, {}).get(role) or _password()
            for role in (*DATABASE_ROLES, *FURTHER_ROLES.get(service, ()))
        }
        for service in services
    }
    nats = {user: base.nats.get(user) or _password() for user in nats_users}
    return replace(base, databases=base.databases | databases, nats=base.nats | nats)


def read_secrets(path: Path) -> Secrets:
    """Refuses a file that is lost, damaged, or open to others than its owner."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SecretsRefused(
            f"{path} is missing: restore it from where you keep it; without it the databases "
            "beside it cannot be opened and what is sealed in them cannot be read"
        ) from None
    except OSError as error:
        raise SecretsRefused(
            f"{path} cannot be opened ({error}): start troth as the user who owns it"
        ) from None
    with open(descriptor) as file:
        status = os.fstat(descriptor)
        if status.st_mode & 0o077 or status.st_uid not in (os.geteuid(), 0):
            raise SecretsRefused(
                f"{path} can be read by others (mode {status.st_mode & 0o777:04o}, "
                f"owner {status.st_uid}): make it yours and run `chmod 600 {path}`, "
                "and change what may have been read"
            )
        text = file.read()
    try:
        found = json.loads(text)
        names = {field.name for field in fields(Secrets)}
        if not isinstance(found, dict) or found.keys() != names:
            raise ValueError("its entries are not the expected ones")
    except ValueError as error:
        raise SecretsRefused(f"{path} is damaged ({error}): restore it from a copy") from None
    return Secrets(**found)


def _password() -> str:
    return secrets.token_urlsafe(24)


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
