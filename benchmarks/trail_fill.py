"""Fills 90 days of details as the writer writes them, a whole day at a time, in two processes.

Ten million entries through the writer itself take longer than anybody waits. So each detail is made
of the writer's own parts (fields, sealing, blind indexes, rows of COPY) and only what the search
never reads is left out: commitments and secrets are random bytes, leaves and tree are not made. A
day is filled before its indexes are made.
"""

import asyncio
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator
from io import BytesIO
from uuid import UUID, uuid5

import msgspec
import psycopg

from benchmarks import trail_events as made
from benchmarks.trail_events import Events, Span
from benchmarks.trail_store import Store
from libs.common import ids
from libs.common.messages import Recorded
from libs.common.privacy import DataKey
from libs.trail.canonical import day_of, time_of
from services.audit import copying, detail
from services.audit.blind import Blinder, slot_of
from services.audit.daykeys import DayKey
from services.audit.domain import kind_of, outcome_of, target_of
from services.audit.people import People, is_person

PROCESSES = 2
BATCH = 2_000
DAYS_TOLD = 10
NAMES = UUID(int=4)
encode = msgspec.msgpack.Encoder().encode
TRAILS = "insert into trails (org, trail) values (%s, %s)"
TYPES = "insert into event_types values (%s) on conflict do nothing"
FULL = "select count(*) from audit_detail"
PAIRS = "select make_pair_index()"
MAKE = """
set role audit_anonymizer;
create table {name} (like audit_detail including defaults including constraints);
"""
ATTACH = """
select no_statistics('{name}');
alter table audit_detail attach partition {name} for values in ({day});
reset role;
vacuum {name};
"""


def trail_of(organization: str) -> UUID:
    return uuid5(NAMES, organization)


def fill(store: Store, span: Span) -> float:
    """Seconds that it took; a store that is full already is left as it is."""
    with psycopg.connect(store.admin, autocommit=True) as admin:
        (there,) = admin.execute(FULL).fetchone() or (0,)
        if there:
            if there != span.count:
                raise ValueError(f"{store.folder} holds {there} entries, not {span.count}")
            return 0.0
        begun = time.monotonic()
        store.keys().refresh()
        organizations = (made.LARGE, *(f"org_{n}" for n in range(made.OTHERS)))
        admin.cursor().executemany(TRAILS, [(org, trail_of(org)) for org in organizations])
        admin.cursor().executemany(TYPES, [(kind,) for kind in sorted(made.TYPES)])
        _in_processes(store, span)
        while (admin.execute(PAIRS).fetchone() or (False,))[0]:
            continue
        admin.execute("checkpoint")
        (there,) = admin.execute(FULL).fetchone() or (0,)
    if there != span.count:
        raise ValueError(f"{there} entries were made, not {span.count}")
    return time.monotonic() - begun


def _in_processes(store: Store, span: Span) -> None:
    spawn = multiprocessing.get_context("spawn")
    parts = [
        spawn.Process(target=_part, args=(store, span, at), daemon=True) for at in range(PROCESSES)
    ]
    for part in parts:
        part.start()
    for part in parts:
        part.join()
    if any(part.exitcode for part in parts):
        raise ValueError("a process that fills the trail failed")


def _part(store: Store, span: Span, at: int) -> None:
    """Every second day."""
    keys, begun = store.keys(), time.monotonic()
    events = Events(span, keys)
    persons = asyncio.run(_persons(store.people()))
    numbers = _numbers_by_day(span)
    with psycopg.connect(store.admin, autocommit=True) as admin:
        for told, day in enumerate(sorted(numbers)[at::PROCESSES], 1):
            rows = Rows(keys.of(day), persons)
            _write(admin, f"audit_detail_{day}", day, rows.of(events, numbers[day]))
            if not at and told % DAYS_TOLD == 0:
                took = time.monotonic() - begun
                print(f"{time.strftime('%H:%M:%S')}  {told * PROCESSES} days in {took:.0f} s",
                      file=sys.stderr)  # fmt: skip


async def _persons(people: People) -> dict[str, DataKey | None]:
    return await people.of([made.BUSY, *(f"per_{n}" for n in range(made.PEOPLE))])


def _numbers_by_day(span: Span) -> dict[int, range]:
    """Which of the events are of which day."""
    first, last = day_of(span.begin), day_of(span.end)
    edges = [span.first_of(day) for day in range(first, last + 1)] + [span.count]
    return {day: range(edges[n], edges[n + 1]) for n, day in enumerate(range(first, last + 1))}


def _write(
    admin: psycopg.Connection[tuple[object, ...]], name: str, day: int, rows: Iterable[bytes]
) -> None:
    admin.execute(MAKE.format(name=name).encode())
    statement = copying.DETAIL.replace(b"audit_detail", name.encode())
    with admin.cursor() as cursor, cursor.copy(statement) as out:
        for part in rows:
            out.write(part)
    for one in ATTACH.format(name=name, day=day).strip().split(";\n"):
        admin.execute(one.encode())


class Rows:
    """Of one day."""

    def __init__(self, key: DayKey, persons: dict[str, DataKey | None]) -> None:
        self._key, self._persons = key, persons
        self._trails = dict[str, tuple[UUID, Blinder]]()
        self._sealed = dict[str, str]()

    def of(self, events: Events, numbers: range) -> Iterator[bytes]:
        """What COPY takes, in parts."""
        yield copying.HEAD
        for start in range(numbers.start, numbers.stop, BATCH):
            some = range(start, min(start + BATCH, numbers.stop))
            random = BytesIO(os.urandom(200 * len(some))).read
            recorded = events.some(some, "executor", start)
            yield b"".join(
                copying.detail(self.row(event, n, random))
                for n, event in zip(some, recorded, strict=True)
            )
        yield copying.END

    def row(self, event: Recorded, n: int, random: detail.Random) -> copying.DetailRow:
        """As `Batch` makes it, but for its commitments."""
        if event.organization not in self._trails:
            trail = trail_of(event.organization)
            self._trails[event.organization] = trail, Blinder(self._key, trail)
        trail, blind = self._trails[event.organization]
        data, person = bytes(event.data), is_person(event.actor)
        key = self._persons[event.actor] if person else None
        address = made.address_of(event.actor) if person else None
        outcome = outcome_of(event.type, data)
        resource = target_of(event.type, event.subject, data)
        id_ = ids.public("evt", ids.uuid_of(event.id))
        values = [
            id_, event.type, time_of(event.time), event.producer, f"1:{event.sequence}",
            None if person else event.actor, resource, str(event.streamversion), outcome, None,
            None, event.requestid, data.decode(),
        ]  # fmt: skip
        plain = encode(detail.Detail(
            random(32), values, kind_of(event.subject),
            self._personal(event.actor, key, address) if key is not None else None,
            [random(32) for _ in detail.PERSONAL] if person else None,
        ))  # fmt: skip
        seq = made.seq_of(n)
        return copying.DetailRow(
            self._key.day, trail, seq, detail.seal(plain, self._key, trail, seq, random),
            blind.once("id", id_), blind.word("type", event.type),
            blind.word("actor", event.actor) if key is None else blind.person(event.actor, key),
            blind.once("resource", resource),
            blind.once("address", address) if address is not None else None,
            blind.word("outcome", outcome), blind.word("slot", slot_of(event.time)),
        )  # fmt: skip

    def _personal(self, person: str, key: DataKey, address: str | None) -> str:
        """Sealed once a day for each person."""
        found = self._sealed.get(person)
        if found is None:
            own = detail.Personal(os.urandom(32), [person, address, made.AGENT])
            found = self._sealed[person] = key.seal_bytes(encode(own), detail.STREAM)
        return found
