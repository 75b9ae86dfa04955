"""The users of the bus: what each service may say and hear, and for which purposes open.

A service publishes its own events only, asks for keys of the purposes that it was granted
(libs/common/grants.py) and as nobody else, and hears those whose events it reads.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from libs.common.grants import key_subjects
from libs.embedded.nats import NatsUser

SERVICES = (*("identity", "workflows", "executor", "billing", "audit", "subscriptions", "gateway"),)
WORK_STREAM, WORK_DURABLE, WORK_SUBJECTS = "WORK", "executor", "executor.work.>"
STARTS_WORK = frozenset({"gateway", "workflows", "executor"})
# Events that processes hear as they pass, to drop what they keep in memory: keys that were
# destroyed, documents, plans, sessions. Whoever only reads by number hears nothing.
HEARS_EVENTS = {
    "gateway": ("identity", "workflows", "billing"),
    "executor": ("identity", "workflows", "billing"),
    "audit": ("identity",),
    "subscriptions": ("identity",),
}
# What is said at a commit, for the streams at the door.
HEARS = {"gateway": ("subscriptions.relay.fed", "executor.relay.moved")}
# What audit holds against the inventory of data: names and subjects of all streams.
LOOKS = {"audit": ("$JS.API.STREAM.LIST",)}
ANSWERS_INTO = {"executor": ("_INBOX_gateway.>",)}
# The server says what a user may: `troth doctor` holds it against this file.
ABOUT_ITSELF = "$SYS.REQ.USER.INFO"

ReaderOf = tuple[str, str]
"""The name of a reader, and the service whose events it reads."""


def users(
    readers: Mapping[str, Iterable[ReaderOf]], passwords: Mapping[str, str], *,
    makes_streams: bool = True,
) -> list[NatsUser]:  # fmt: skip
    """One user per service, with the consumers that its readers need."""
    return [
        user(name, readers.get(name, ()), passwords[name], makes_streams=makes_streams)
        for name in SERVICES
    ]


def user(
    service: str, readers: Iterable[ReaderOf], password: str, *, makes_streams: bool = True
) -> NatsUser:
    """What one service may say and hear; everything else is refused by the server."""
    own = [service.upper()]
    foreign = [(name, producer) for name, producer in readers if producer != service]
    durables = [
        (producer.upper(), f"{service}-{name.replace('_', '-')}")  # as libs/common/service.py
        for name, producer in foreign
    ]
    if service == "executor":
        own.append(WORK_STREAM)
        durables.append((WORK_STREAM, WORK_DURABLE))
    publish = [
        *(f"{service}.event.>", f"{service}.relay.>", "*.command.*", "*.query.*"),
        *key_subjects(service),
        *((WORK_SUBJECTS,) if service in STARTS_WORK else ()),
        *ANSWERS_INTO.get(service, ()),
        *(ABOUT_ITSELF, "$JS.API.INFO", "$JS.API.STREAM.INFO.*"),
        *LOOKS.get(service, ()),
        *(f"$JS.API.STREAM.MSG.GET.{stream}" for stream in own),
    ]
    if makes_streams:
        # Whoever needs a stream first makes it; a stream that is there is changed by nobody.
        needed = dict.fromkeys([*own, *(stream for stream, _ in durables)])
        publish += [f"$JS.API.STREAM.CREATE.{stream}" for stream in needed]
    for stream, durable in durables:
        publish += _reads(stream, durable)
    subscribe = (
        *(f"_INBOX_{service}.>", f"{service}.command.>", f"{service}.query.>"),
        *(f"{service}.relay.>", *HEARS.get(service, ())),
        *(f"{producer}.relay.head" for producer in dict.fromkeys(p for _, p in foreign)),
        *(f"{producer}.event.>" for producer in HEARS_EVENTS.get(service, ())),
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
