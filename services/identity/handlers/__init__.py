"""What identity answers: each handler parses, asks a decider, shows."""

from faststream.nats import NatsRouter

from services.identity.handlers import (
    access,
    api_keys,
    callers,
    instance,
    invitations,
    keys,
    members,
    notifications,
    organizations,
    people,
    sessions,
    sign_in_links,
)
from services.identity.parts import Parts


def routers(parts: Parts) -> list[NatsRouter]:
    modules = (people, sessions, instance, callers, organizations, members, invitations,
               sign_in_links, api_keys, notifications, access, keys)  # fmt: skip
    return [module.router(parts) for module in modules]
