"""What the handlers share: the service, the guard's policy, times and sealed URLs."""

from dataclasses import dataclass
from datetime import datetime

from libs.common import clock, ids
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from libs.common.privacy import FORGOTTEN, DataKey, Forgotten
from libs.common.service import Service
from libs.egress import Policy

CONTENT, SECRETS = "content", "secrets"


@dataclass(frozen=True, slots=True)
class Parts:
    service: Service
    policy: Policy


def stream(organization: str, subscription: str) -> str:
    return stream_of("subscription", organization, subscription)


def now() -> datetime:
    """Whole milliseconds, so that an answer and its repetition from the log are equal."""
    at = clock.now()
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def new_id(prefix: str, meta: Meta) -> str:
    """The same for the same command, so that a repetition makes nothing twice."""
    if meta.command_id is None:
        return ids.new(prefix)
    return ids.derived(prefix, meta.organization, meta.command_id)


@dataclass(frozen=True, slots=True)
class Urls:
    """Opens the sealed URLs of one organization, which may be forgotten."""

    organization: str
    key: DataKey | None

    @classmethod
    async def of(cls, service: Service, organization: str) -> "Urls":
        try:
            return cls(organization, await service.keys.key(organization, CONTENT))
        except Forgotten:
            return cls(organization, None)

    def open(self, subscription: str, sealed: str) -> str:
        if self.key is None:
            return FORGOTTEN
        try:
            return self.key.open(sealed, stream(self.organization, subscription))
        except Forgotten:
            return FORGOTTEN
