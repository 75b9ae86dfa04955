"""Writes new secrets for a container or cluster installation: one env file for each part.

`python deploy/make_secrets.py deploy/secrets`, before the first `docker compose up`. For a cluster:
`for file in deploy/secrets/*.env; do kubectl create secret generic
"troth-$(basename "$file" .env)" --from-env-file="$file"; done`.
"""

import argparse
import base64
import secrets
from collections.abc import Mapping
from pathlib import Path

SERVICES = ["identity", "workflows", "executor", "billing", "audit", "gateway", "subscriptions"]


def password() -> str:
    """Begins with a letter, because NATS reads what looks like a number as one."""
    return f"p{secrets.token_hex(24)}"


def key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def make(postgres: str) -> dict[str, dict[str, str]]:
    """File -> settings; each service gets its own passwords and nobody else's."""
    keys = {name: key() for name in ("TROTH_KEK", "TROTH_INDEX_KEY", "TROTH_PEPPER")}
    owner = password()
    roles = {service: _roles(service) for service in SERVICES}
    users = {f"TROTH_{name.upper()}_NATS_PASSWORD": password() for name in [*SERVICES, "migrate"]}
    files = {
        service: keys | roles[service] | _only(users, f"TROTH_{service.upper()}_")
        for service in SERVICES
    }
    files["identity"]["TROTH_OPERATOR_TOKEN"] = password()
    everybodys = {name: value for of in roles.values() for name, value in of.items()}
    url = f"postgresql://postgres:{owner}@{postgres}/postgres"
    files["migrate"] = keys | everybodys | _only(users, "TROTH_MIGRATE_")
    files["migrate"]["TROTH_DATABASE_URL"] = url
    files["nats"] = users
    files["postgres"] = {"POSTGRES_PASSWORD": owner}
    return files


def _roles(service: str) -> dict[str, str]:
    roles = ("SYSTEM", "READER", *(("SIGNER",) if service == "audit" else ()))
    return {f"TROTH_{service.upper()}_{role}_PASSWORD": password() for role in roles}


def _only(settings: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name: value for name, value in settings.items() if name.startswith(prefix)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="is made; must not exist")
    parser.add_argument("--postgres", default="postgres:5432", help="host:port of PostgreSQL")
    options = parser.parse_args()
    try:
        options.folder.mkdir(mode=0o700)
    except FileExistsError:
        parser.error(f"{options.folder} exists: new secrets would not open what is stored already")
    for name, settings in make(options.postgres).items():
        file = options.folder / f"{name}.env"
        file.touch(mode=0o600)
        file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))


if __name__ == "__main__":
    main()
