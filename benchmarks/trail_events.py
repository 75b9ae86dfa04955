"""Events for a trail to be measured: which thing, who and when follow from the number alone."""

import os
import uuid
from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from libs.common import clock
from libs.common.messages import Recorded
from libs.common.origins import Origin, OriginKey
from libs.trail.canonical import day_of
from services.audit.daykeys import KEPT_DAYS, DayKeys

LARGE, OTHERS = "org_large", 200
"""Nine of ten entries are in one organization's trail, which is the one that is searched."""
PEOPLE, BUSY, SERVICE = 2_000, "per_busy", "system:executor"
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Firefox/141.0"
SEALED = "v1.k0123456789abcdef.AAAAAAAAAAAAAAAA." + "A" * 200
RARE_EVERY, RARE = 100_000, "workflows.event.workflow-archived"
# Of every thousand so many, and the outcome that their data tells.
KINDS = (
    ("executor.event.execution-started", "", 240), ("executor.event.effect-began", "", 240),
    ("executor.event.effect-ended", "done", 230), ("executor.event.effect-ended", "failed", 10),
    ("executor.event.execution-finished", "done", 215),
    ("executor.event.execution-finished", "failed", 10),
    ("identity.event.api-usage-recorded", "", 30), ("identity.event.session-opened", "", 20),
    ("identity.event.sign-in-refused", "", 3), ("identity.event.access-refused", "", 2),
)  # fmt: skip
TYPES = {RARE, *(kind for kind, _, _ in KINDS)}
_SLOTS = [(kind, outcome) for kind, outcome, share in KINDS for _ in range(share)]
_DATA = {
    outcome: msgspec.Raw(msgspec.json.encode(
        {"path": "fetch", "attempt": 1, "outcome": outcome, "operation": "start", "value": SEALED}
    ))
    for outcome in ("", "done", "failed")
}  # fmt: skip


class Span(msgspec.Struct, frozen=True):
    """So many events, evenly from one moment to another."""

    count: int
    begin: datetime
    end: datetime

    @classmethod
    def until_now(cls, count: int) -> "Span":
        """From the midnight that makes today the last of 90 days."""
        now = clock.now()
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return cls(count, today - timedelta(days=KEPT_DAYS - 1), now)

    def time_of(self, n: int) -> datetime:
        return self.begin + (self.end - self.begin) * (n / self.count)

    def first_of(self, day: int) -> int:
        """The first event of a day, or one behind the last."""
        return bisect_left(range(self.count), day, key=lambda n: day_of(self.time_of(n)))


class Events:
    """Makes them."""

    def __init__(self, span: Span, keys: DayKeys) -> None:
        self._span = span
        self._keys, self._origins = keys, dict[tuple[int, str], str]()

    def some(self, numbers: range, producer: str, first: int) -> list[Recorded]:
        """`first` is the producer's number of the first of them."""
        random = _uuids(len(numbers))
        return [self._event(n, producer, first + at, next(random)) for at, n in enumerate(numbers)]

    def _event(self, n: int, producer: str, sequence: int, id_: str) -> Recorded:
        kind, outcome = _SLOTS[n * 617 % 1000]
        if n % RARE_EVERY == 11:
            kind, outcome = RARE, ""
        actor, time, organization = actor_of(n), self._span.time_of(n), organization_of(n)
        return Recorded(
            id=id_, source=f"/services/{producer}", type=kind, time=time, actor=actor,
            subject=f"execution-{organization}-{resource_of(n)}", organization=organization,
            streamversion=n // 10 % 4 + 1, sequence=sequence, data=_DATA[outcome],
            requestid=f"req_{n}",
            origin=self._origin(time, address_of(actor)) if actor != SERVICE else None,
        )  # fmt: skip

    def _origin(self, time: datetime, address: str) -> str:
        day = int(time.timestamp()) // 86_400
        found = self._origins.get((day, address))
        if found is None:
            key = OriginKey(day, self._keys.of(day).origin)
            found = self._origins[day, address] = key.seal(Origin(address, AGENT))
        return found


def organization_of(n: int) -> str:
    return f"org_{n // 10 % OTHERS}" if n % 10 == 9 else LARGE


def seq_of(n: int) -> int:
    """Its number in the trail of its organization."""
    return n // 10 // OTHERS if n % 10 == 9 else n // 10 * 9 + n % 10


def actor_of(n: int) -> str:
    """A twentieth is one busy person, a fifth 2,000 others, the rest a service."""
    if n % 20 == 3:
        return BUSY
    return f"per_{n // 5 * 7919 % PEOPLE}" if n % 5 == 2 else SERVICE


def address_of(person: str) -> str:
    number = PEOPLE if person == BUSY else int(person.removeprefix("per_"))
    return f"198.51.{number // 250}.{number % 250}"


def resource_of(n: int) -> str:
    return f"exe_{n // 40 * 10 + n % 10}"


def _uuids(count: int) -> Iterator[str]:
    random = os.urandom(16 * count)
    for at in range(0, len(random), 16):
        yield str(uuid.UUID(bytes=random[at : at + 16], version=4))
