"""Events that every service has: it started, it stopped, a reader stopped, an event was skipped."""

import types
from dataclasses import dataclass

from libs.common.fields import Digest, EventId, Number, PolicyVersion, SealedText, Word
from libs.common.messages import Event


class ServiceStarted(Event):
    """A process of the service began to answer."""

    version_: PolicyVersion
    settings: Digest


class ServiceStopped(Event):
    """A process of the service was drained."""

    reason: Word


class ReaderStopped(Event):
    """A reader met an event that it can't handle."""

    reader: Word
    event_id: EventId
    n: Number
    error_type: Word


class EventSkipped(Event):
    """The operator let a reader go on after an event."""

    reader: Word
    n: Number
    reason: SealedText


@dataclass(frozen=True)
class Lifecycle:
    started: type[ServiceStarted]
    stopped: type[ServiceStopped]
    reader_stopped: type[ReaderStopped]
    event_skipped: type[EventSkipped]


_MADE: dict[str, Lifecycle] = {}


def of(service: str) -> Lifecycle:
    """The four event classes of a service, under its own names."""
    if service not in _MADE:
        _MADE[service] = Lifecycle(
            *(
                types.new_class(base.__name__, (base,), {"type": f"{service}.event.{name}"})
                for base, name in (
                    (ServiceStarted, "service-started"),
                    (ServiceStopped, "service-stopped"),
                    (ReaderStopped, "reader-stopped"),
                    (EventSkipped, "event-skipped"),
                )
            )
        )  # fmt: skip
    return _MADE[service]
