"""Commands, queries and events: pydantic models that carry their own name and version."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict

from libs.common.fields import (
    Actor,
    Digest,
    EventId,
    OrganizationId,
    RequestId,
    SealedOrigin,
    TraceParent,
    Version,
    Word,
)  # fmt: skip

Json = Any
EVENTS: dict[str, type["Event"]] = {}
ASKS: dict[str, type["Ask"]] = {}
_UPCASTS: dict[tuple[str, int], Callable[[dict[str, Json]], dict[str, Json]]] = {}


class Message(BaseModel):
    """A value that crosses the bus; unknown fields are refused, nothing is changed in place.

    Its validator is built when it is first needed: most processes need a few of all there are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


Kind = type[BaseModel]


class Ask(Message):
    """What one service asks of another, and what is answered when it is not refused.

    `permission` is checked again where it is answered.
    """

    type: ClassVar[str] = ""
    permission: ClassVar[str | None] = None
    answers: ClassVar[Kind | None] = None

    def __init_subclass__(
        cls, type: str = "", permission: str | None = None,
        answers: Kind | None = None, **kw: Any,
    ) -> None:  # fmt: skip
        super().__init_subclass__(**kw)
        if type:
            cls.type, cls.permission, cls.answers = type, permission, answers
            ASKS[type] = cls


def ask_on(subject: str) -> type[Ask] | None:
    """What is asked on a subject: its first three words name it, more may say for what and who."""
    return ASKS.get(".".join(subject.split(".", 3)[:3]))


class Command(Ask):
    """Asks for a change; named in the imperative."""


class Query(Ask):
    """Asks for an answer; changes nothing."""


class Event(Message):
    """A fact in a log: named once, never renamed, read for ever.

    `public` makes it visible to customers; sealed fields are left out there.
    """

    type: ClassVar[str] = ""
    version: ClassVar[int] = 1
    public: ClassVar[bool] = False

    def __init_subclass__(
        cls, type: str = "", version: int = 1, public: bool = False, **kw: Any
    ) -> None:
        super().__init_subclass__(**kw)
        if type:
            cls.type, cls.version, cls.public = type, version, public
            EVENTS[type] = cls


def upcast(type: str, version: int) -> Callable[[Callable[[Json], Json]], Callable[[Json], Json]]:
    """Registers how data of `version` becomes data of the next version."""

    def register(function: Callable[[Json], Json]) -> Callable[[Json], Json]:
        _UPCASTS[type, version] = function
        return function

    return register


class Meta(BaseModel):
    """Who asks, for whom, and why; travels in the headers of a request."""

    model_config = ConfigDict(frozen=True)

    organization: OrganizationId = "instance"
    actor: Actor = "system:unknown"
    permissions: frozenset[Word] = frozenset()
    role: Word | None = None
    request_id: RequestId = ""
    causation_id: EventId | None = None
    origin: SealedOrigin | None = None
    traceparent: TraceParent | None = None
    command_id: EventId | None = None
    command_digest: Digest | None = None
    expected_version: Version | None = None

    @classmethod
    def system(cls, what: str, organization: str = "instance", **kw: Any) -> "Meta":
        return cls(actor=f"system:{what}", organization=organization, **kw)


class Recorded(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event as it stands in a log and on the bus: a CloudEvent (names are CloudEvents')."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    organization: str
    streamversion: int
    sequence: int
    actor: str
    data: msgspec.Raw
    dataversion: int = 1
    requestid: str | None = None
    causationid: str | None = None
    origin: str | None = None
    traceparent: str | None = None
    specversion: str = "1.0"

    @property
    def producer(self) -> str:
        return self.source.rpartition("/")[2]

    def json(self) -> dict[str, Json]:
        """The data, upcast to the newest version."""
        data, version = msgspec.json.decode(self.data), self.dataversion
        while (step := _UPCASTS.get((self.type, version))) is not None:
            data, version = step(data), version + 1
        return data

    def event(self) -> Event:
        """The typed event; KeyError when this code does not know its type."""
        return EVENTS[self.type].model_validate(self.json())


E = TypeVar("E", bound=Event)
encode_batch = msgspec.json.Encoder().encode
decode_batch = msgspec.json.Decoder(list[Recorded]).decode
