"""Reads the facts from the databases and from the streams of the bus."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import nats
import psycopg
from nats.js.errors import NotFoundError

from cli.services import readers_of, schemas
from libs.common import ids
from libs.common.messages import decode_batch
from libs.trail.canonical import FIELDS
from services.audit.daykeys import DayKeys
from services.audit.detail import glance
from services.audit.settings import places_in
from tests.chaos.facts import Event, Facts, Number, Producer
from tests.chaos.stack import Stack

PRODUCERS = ("identity", "workflows", "executor", "billing", "subscriptions")
AT_ONCE = 32
Rows = Callable[..., list[tuple[Any, ...]]]
LOG = """
select n, id::text, stream, version, type{more} from log where n <= %s order by n
"""
MORE = """, data ->> 'path', (data ->> 'attempt')::int, data ->> 'outcome',
  data -> 'error' ->> 'type', data ->> 'idempotency_key',
  coalesce((select array_agg(r ->> 'path') from json_array_elements(case json_typeof(
    data -> 'results') when 'array' then data -> 'results' else '[]' end) r), '{}')
"""
AUDITED = "select day, trail, seq, sealed from audit_detail order by day, trail, seq"
UNFINISHED = """
select count(*) from log s where s.type = 'executor.event.execution-started' and not exists (
  select 1 from log f where f.stream = s.stream and f.type = 'executor.event.execution-finished')
"""
TAKEN = "select coalesce(max(n), 0) from readers where name = %s"


def number(n: int, event_id: str) -> Number:
    """Of an event by the UUID of its log, with the id that everybody else sees."""
    return Number(n, ids.public("evt", UUID(event_id)))


def producer_log(rows: Rows, service: str, head: int) -> list[Event]:
    """The log up to a number; the executor's events with what the checker asks of them."""
    more = MORE if service == "executor" else ""
    return [_event(*row) for row in rows(service, LOG.replace("{more}", more), head)]


def _event(
    n: int, event_id: str, stream: str, version: int, type: str, path: str | None = None,
    attempt: int | None = None, outcome: str | None = None, error: str | None = None,
    key: str | None = None, results: Sequence[str] = (),
) -> Event:  # fmt: skip
    return Event(
        n, number(n, event_id).id, stream, version, type, path, attempt, outcome, error, key,
        tuple(results),
    )  # fmt: skip


def audited(rows: Rows, keys: DayKeys) -> dict[str, list[Number]]:
    """What was entered of each producer, as the sealed details of the trail say it."""
    found: dict[str, list[Number]] = defaultdict(list)
    for day, trail, seq, sealed in rows("audit", AUDITED):
        values = glance(sealed, keys.of(day), trail, seq)
        assert values is not None, f"a detail of day {day} does not open: {trail} {seq}"
        of = dict(zip(FIELDS, values, strict=True))
        n = int(str(of["number"]).partition(":")[2])
        found[str(of["producer"])].append(Number(n, str(of["id"])))
    return found


def head_of(rows: Rows, service: str) -> int:
    return rows(service, "select n from heads")[0][0]


def behind(rows: Rows) -> list[str]:
    """What is not done yet: executions, relays, and whoever reads a log, by the code's own list."""
    said: list[str] = []
    if unfinished := rows("executor", UNFINISHED)[0][0]:
        said.append(f"{unfinished} executions unfinished")
    logs = [schema for schema in schemas() if schema.has_log]
    heads = {schema.service: head_of(rows, schema.service) for schema in logs}
    for schema in logs:
        taken = dict(rows(schema.service, "select name, n from readers"))
        for reader, producer in [*readers_of(schema), ("relay", schema.service)]:
            if (left := heads[producer] - taken.get(reader, 0)) > 0:
                said.append(f"{reader} of {schema.service} {left} behind")
    return said


def _taken(rows: Rows, producer: str, head: int) -> bool:
    relayed = rows(producer, TAKEN, "relay")[0][0]
    return min(relayed, rows("audit", TAKEN, f"trail_{producer}")[0][0]) >= head


def collect(stack: Stack, acknowledged: Any, requests: Any) -> Facts:
    """Called once `behind` is empty. Logs go on (the gateway tells of its calls), so each is
    judged up to the head that it has now."""
    rows = stack.rows
    heads = {name: head_of(rows, name) for name in PRODUCERS}
    stack.wait_a_while(lambda: all(_taken(rows, name, heads[name]) for name in PRODUCERS), 10)
    entries = audited(rows, DayKeys(places_in(stack.installation.folder.path)))
    producers: dict[str, Producer] = {}
    for name, head in heads.items():
        producers[name] = Producer(
            producer_log(rows, name, head), head,
            relayed=min(head, rows(name, TAKEN, "relay")[0][0]),
            published=asyncio.run(published(stack, name, head)),
            audited=[one for one in entries[name] if one.n <= head],
        )  # fmt: skip
    due = "select execution, extract(epoch from due_at - now())::float8 from timers"
    used = rows(
        "billing",
        "select coalesce(sum(executions), 0)::int from"
        " (select executions from used union all select executions from counting) u",
    )
    return Facts(
        acknowledged, producers, requests, dict(rows("executor", due)),
        dict(rows("executor", "select execution, outcome from executions")), used[0][0],
    )  # fmt: skip


async def published(stack: Stack, service: str, head: int) -> list[Number]:
    """Every event in the stream of a service, in the order of the stream, read as that service."""
    secret = stack.installation.secrets.nats[service]
    connection = await nats.connect(
        stack.installation.nats_url, user=service, password=secret,
        inbox_prefix=f"_INBOX_{service}".encode(),
    )  # fmt: skip
    try:
        js = connection.jetstream()
        state = (await js.stream_info(service.upper())).state
        found: list[Number] = []
        for first in range(state.first_seq, state.last_seq + 1, AT_ONCE):
            upto = min(first + AT_ONCE, state.last_seq + 1)
            messages = await asyncio.gather(
                *(js.get_msg(service.upper(), seq) for seq in range(first, upto)),
                return_exceptions=True,
            )
            for message in messages:
                if isinstance(message, NotFoundError):
                    continue
                if isinstance(message, BaseException):
                    raise message
                for event in decode_batch(message.data or b"[]"):
                    found.append(number(event.sequence, event.id))
        return [one for one in found if one.n <= head]
    finally:
        await connection.close()


def rows_of(dsn_of: Callable[[str], str]) -> Rows:
    """Reads databases that are not a stack's, as the functions here want it."""

    def rows(service: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(dsn_of(service)) as connection:
            return connection.execute(sql.encode(), values).fetchall()

    return rows
