"""Who may ask for data keys of which purpose; identity checks it, docs/permissions.md shows it.

Payloads are sealed, so what a service may open is what it may process: a service opens what its own
rules of retention keep sealed, and of others only what `OPENS` says, with the reason. `GRANTS` is
what follows from that; a test holds the two against each other, and both against the code.

A key is asked for on a subject that ends with its purpose and the service that asks. The bus lets
each service publish on its own of these only, so none can ask as another one.
"""

from typing import Literal

Purpose = Literal["content", "executions", "secrets", "profile", "audit"]

# Keys that nobody asks for: derived from the installation's own, audit's ratchet of days, and those
# of legal holds.
NOT_ASKED_FOR = frozenset({"installation", "day", "hold"})

OPENS: dict[str, dict[str, str]] = {
    "executor": {
        "workflows.workflows": "published documents are what it runs",
        "workflows.variables": "their values stand in expressions",
        "workflows.secrets": "a step gets the secrets that its document names",
    },
    "gateway": {
        "executor.work": "the body of a call is sealed before the bus has it",
        "workflows.secrets": "signatures of hooks are checked at the door",
    },
}

GRANTS: dict[str, frozenset[str]] = {
    "identity": frozenset({"content", "profile"}),
    "workflows": frozenset({"content", "secrets"}),
    "executor": frozenset({"content", "executions", "secrets"}),
    "gateway": frozenset({"executions", "secrets"}),
    "subscriptions": frozenset({"content", "secrets"}),
    "billing": frozenset(),
    "audit": frozenset({"audit"}),
}

FIND_KEY, FIND_KEY_BY_ID = "identity.query.find-key", "identity.query.find-key-by-id"


def key_subject(asked: str, purpose: str, service: str) -> str:
    """Where `service` asks for a key of `purpose`."""
    return f"{asked}.{purpose}.{service}"


def key_subjects(service: str) -> list[str]:
    """All subjects on which a service may ask for keys."""
    return [
        key_subject(asked, purpose, service)
        for asked in (FIND_KEY, FIND_KEY_BY_ID)
        for purpose in sorted(GRANTS[service])
    ]
