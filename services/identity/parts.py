"""What the handlers of identity work with."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from libs.common import clock, ids
from libs.common.errors import Forbidden
from libs.common.eventstore import stream_of
from libs.common.messages import Event, Meta
from libs.common.privacy import FORGOTTEN
from libs.common.service import Service
from services.identity.contract import KeyCreated, PersonNeeded
from services.identity.keystore import KeyStore
from services.identity.passwords import Hasher
from services.identity.settings import IdentitySettings

PERSON_PURPOSES = ("profile", "audit")
ORGANIZATION_PURPOSES = ("content", "executions", "secrets")


@dataclass(frozen=True, slots=True)
class Parts:
    service: Service
    settings: IdentitySettings
    hasher: Hasher
    keystore: KeyStore


def now() -> datetime:
    """Whole milliseconds, so that an answer and its repetition from the log are equal."""
    at = clock.now()
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def new_id(prefix: str, meta: Meta, *more: str) -> str:
    """The same for the same command, so that a repetition makes nothing twice."""
    if meta.command_id is None:
        return ids.new(prefix)
    return ids.derived(prefix, meta.organization, meta.command_id, *more)


def acting(meta: Meta, organization: str, actor: str | None = None) -> Meta:
    """The same request, in the organization whose stream it changes."""
    change: dict[str, str] = {"organization": organization}
    if actor is not None:
        change["actor"] = actor
    return meta.model_copy(update=change)


def person_stream(person_id: str) -> str:
    return stream_of("person", "instance", person_id)


def organization_stream(organization_id: str) -> str:
    return stream_of("organization", organization_id)


def keys_stream(owner: str) -> str:
    return stream_of("keys", owner) if owner.startswith("org_") else stream_of(
        "keys", "instance", owner
    )  # fmt: skip


def key_facts(owner: str, kids: Mapping[str, str]) -> list[Event]:
    """Which keys an owner got, by purpose."""
    return [
        KeyCreated.model_validate({"owner_id": owner, "purpose": purpose, "kid": kid})
        for purpose, kid in kids.items()
    ]


def a_person(meta: Meta) -> str:
    """The person who asks; an API key is nobody."""
    if not meta.actor.startswith("per_"):
        raise PersonNeeded("this is for people: sign in")
    return meta.actor


def only_services(meta: Meta) -> str:
    """The service that asks; what it asks for is at no door."""
    kind, _, service = meta.actor.partition(":")
    if kind != "system":
        raise Forbidden("only services ask this", permission="system")
    return service


async def opened_profile(parts: Parts, person_id: str, sealed: str | None) -> str:
    """A person's name or e-mail address, or `forgotten`."""
    opened = await parts.service.keys.open(person_id, "profile", person_stream(person_id), sealed)
    return opened or FORGOTTEN


async def opened_content(parts: Parts, organization_id: str, sealed: str | None) -> str:
    """What is sealed under an organization's key in its own stream, or `forgotten`."""
    opened = await parts.service.keys.open(
        organization_id, "content", organization_stream(organization_id), sealed
    )
    return opened or FORGOTTEN
