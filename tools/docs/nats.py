"""deploy/nats/nats.conf: the server of containers and clusters, with the users of the bus."""

from collections.abc import Sequence

from cli.permissions import ReaderOf, users
from libs.embedded.nats import RESPONSE_EXPIRES, NatsUser
from tools import inventory

HEAD = """\
# NATS for containers and for the single-node overlay: JetStream, and one user per service.
# Made by `make docs` from cli/permissions.py: change that, not this. Streams are made by `migrate`,
# the only one who may change or delete one. Passwords come from the environment
# (deploy/make_secrets.py).
port: 4222
http_port: 8222
max_payload: 4MB

jetstream {
  store_dir: /data
  max_memory_store: 64MB
  # PostgreSQL holds the truth; a cluster with three replicas says `sync_interval: always`.
}

# With the new form of ack subjects nats-py 2.16 loses its ordered consumers.
feature_flags { js_ack_fc_v2: false }

authorization {
  users: [
"""
MIGRATE = NatsUser("migrate", "", ("$JS.API.>",), ("_INBOX.>", "_INBOX_migrate.>"))


def readers() -> dict[str, list[ReaderOf]]:
    """Of each service, as the code declares them."""
    return {
        name: [(p.name, p.producer or name) for p in schema.projections]
        for name, schema in inventory.schemas().items()
    }


def nats_configuration() -> str:
    names = inventory.service_names()
    of_services = users(readers(), dict.fromkeys(names, ""), makes_streams=False)
    return HEAD + "".join(_user(each) for each in (MIGRATE, *of_services)) + "  ]\n}\n"


def _user(user: NatsUser) -> str:
    answers = f'\n        allow_responses: {{ max: 1, expires: "{RESPONSE_EXPIRES}" }}'
    return (
        f"    {{\n      user: {user.name}, password: $TROTH_{user.name.upper()}_NATS_PASSWORD\n"
        f"      permissions: {{\n        publish: {{ allow: [{_subjects(user.publish)}] }}\n"
        f"        subscribe: {{ allow: [{_subjects(user.subscribe)}] }}"
        f"{answers if user.allow_responses else ''}\n      }}\n    }}\n"
    )


def _subjects(allowed: Sequence[str]) -> str:
    """One a line: the server takes a line's end for a comma."""
    lines = "".join(f'          "{subject}"\n' for subject in allowed)
    return f"\n{lines}        "
