"""What the doctor asks the bus: may each service say and hear what the code says, and no more?"""

from collections.abc import Collection, Mapping
from typing import Any

from cli.checks import Finding, Patient
from cli.expected import known_readers
from cli.external import ask_once
from cli.permissions import ABOUT_ITSELF, users
from libs.embedded.nats import NatsUser

SHOWN = 3


def bus_users(patient: Patient, name: str) -> Finding:
    """The live permissions of every user are those that are generated."""
    state = patient.state
    assert state is not None, "this check is made on what runs"
    own = state.nats.monitor_port is not None
    repair = "restart `troth up`" if own else "give the server what `troth nats-users` prints"
    url = f"nats://{state.nats.host}:{state.nats.port}"
    expected = users(known_readers(patient.data), patient.stores.secrets().nats)
    for user in expected:
        answer = ask_once(url, user.name, user.password, ABOUT_ITSELF)
        if answer is None:
            return Finding(name, "wrong", f"{user.name} is not told what it may", repair)
        if differs := differences(user, answer):
            said = ", ".join(differs[:SHOWN])
            return Finding(name, "wrong", f"{user.name}: {said}", repair)
    return Finding(name, "ok", f"{len(expected)} users may what they have to, and nothing else")


def differences(user: NatsUser, answer: Mapping[str, Any]) -> list[str]:
    """What the server lets a user do and should not, and what it should and does not."""
    live = answer.get("data", {}).get("permissions") or {}
    return [
        *_compared("publish", user.publish, live.get("publish")),
        *_compared("subscribe", user.subscribe, live.get("subscribe")),
    ]


def _compared(what: str, wanted: Collection[str], live: Mapping[str, Any] | None) -> list[str]:
    allowed = live.get("allow") if live else None
    if not allowed:  # as NATS says that all is allowed
        return [f"may {what} everything"]
    return [
        *(f"may {what} {subject}" for subject in sorted(set(allowed) - set(wanted))),
        *(f"may not {what} {subject}" for subject in sorted(set(wanted) - set(allowed))),
    ]
