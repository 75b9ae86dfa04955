"""The users of the bus: each service may publish only its own events and answer only for itself."""

from collections.abc import Iterable, Mapping
from typing import Any

from libs.embedded.nats import NatsUser

SERVICES = (*("identity", "workflows", "executor", "billing", "audit", "subscriptions", "gateway"),)
WORK_STREAM, WORK_DURABLE, WORK_SUBJECTS = "WORK", "executor", "executor.work.>"
STARTS_WORK = frozenset({"gateway", "workflows", "executor"})
# What is said at a commit, for the streams at the door.
HEARS = {"gateway": ("subscriptions.relay.fed", "executor.relay.moved")}
# What audit holds against the inventory of data: names and subjects of all streams.
LOOKS = {"audit": ("$JS.API.STREAM.LIST",)}
ANSWERS_INTO = {"executor": ("_INBOX_gateway.>",)}

ReaderOf = tuple[str, str]
"""The name of a reader, and the service whose events it reads."""


def users(
    readers: Mapping[str, Iterable[ReaderOf]], passwords: Mapping[str, str]
) -> list[NatsUser]:
    """One user per service, with the consumers that its readers need."""
    return [user(name, readers.get(name, ()), passwords[name]) for name in SERVICES]


def user(service: str, readers: Iterable[ReaderOf], password: str) -> NatsUser:
    """What one service may say and hear; everything else is refused by the server."""
    own = [service.upper()]
    durables = [
        (producer.upper(), f"{service}-{name.replace('_', '-')}")  # as libs/common/service.py
        for name, producer in readers
        if producer != service
    ]
    if service == "executor":
        own.append(WORK_STREAM)
        durables.append((WORK_STREAM, WORK_DURABLE))
    publish = [
        *(f"{service}.event.>", f"{service}.relay.>", "*.command.>", "*.query.>"),
        *((WORK_SUBJECTS,) if service in STARTS_WORK else ()),
        *ANSWERS_INTO.get(service, ()),
        *("$JS.API.INFO", "$JS.API.STREAM.INFO.*"),
        *LOOKS.get(service, ()),
        *(f"$JS.API.STREAM.MSG.GET.{stream}" for stream in own),
        # Whoever needs a stream first makes it; a stream that is there is changed by nobody.
        *(
            f"$JS.API.STREAM.CREATE.{stream}"
            for stream in dict.fromkeys([*own, *(s for s, _ in durables)])
        ),
    ]
    for stream, durable in durables:
        publish += _reads(stream, durable)
    subscribe = (
        *(f"_INBOX_{service}.>", f"{service}.command.>", f"{service}.query.>"),
        *("*.event.>", "*.relay.head", f"{service}.relay.>", *HEARS.get(service, ())),
    )
    return NatsUser(service, password, tuple(publish), subscribe, allow_responses=True)


def _reads(stream: str, durable: str) -> tuple[str, ...]:
    """The calls of one durable pull consumer: made, asked, acknowledged."""
    return (
        f"$JS.API.CONSUMER.INFO.{stream}.{durable}",
        f"$JS.API.CONSUMER.CREATE.{stream}.{durable}",
        f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{durable}",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
        f"$JS.ACK.{stream}.{durable}.>",
        f"$JS.ACK.*.*.{stream}.{durable}.>",
    )


def as_configuration(user: NatsUser) -> dict[str, Any]:
    """The user as a NATS server's configuration has it, for servers that are not ours."""
    return {
        "user": user.name,
        "password": user.password,
        "permissions": {
            "publish": {"allow": list(user.publish)},
            "subscribe": {"allow": list(user.subscribe)},
            "allow_responses": {"max": 1, "expires": "2m"},
        },
    }
