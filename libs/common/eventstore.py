"""The log of a service: load, decide, append; a command's id is recorded with its events."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import msgspec
from psycopg import AsyncConnection
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection as WorkConnection

from libs.common import ids
from libs.common.database import Database, unavailable
from libs.common.decider import Decider
from libs.common.errors import ChangedMeanwhile, Conflict, KeyReused
from libs.common.fields import milliseconds
from libs.common.messages import Event, Meta, Recorded
from libs.common.streams import stream_of as stream_of  # handed on to handlers

C = TypeVar("C")
S = TypeVar("S")
ATTEMPTS_MAX = 8
_COLUMNS = (
    "n, id::text, org, stream, version, type, data_version, at, actor, request_id, causation_id,"
    " origin, traceparent, data::text"
)

_PAGE = f"""
select h.n, h.incarnation, l.* from heads h left join lateral (
  select {_COLUMNS} from log where partition = 0 and n > %s order by n limit %s) l on true
order by l.n
""".encode()


class Row(msgspec.Struct, omit_defaults=True):
    """One event on its way into `append`."""

    id: str
    org: str
    stream: str
    version: int
    type: str
    data_version: int
    actor: str
    data: msgspec.Raw
    request_id: str | None = None
    causation_id: str | None = None
    origin: str | None = None
    traceparent: str | None = None


class Made(msgspec.Struct):
    """What a command became, remembered for a day under its id."""

    org: str
    id: str
    digest: str
    stream: str
    first: int
    last: int
    answer: str | None


@dataclass(frozen=True, slots=True)
class Outcome(Generic[S]):
    """What became of a command; `answer` is set when it had been carried out before."""

    state: S
    version: int
    events: list[Event] = field(default_factory=list)
    n: int = 0
    replayed: bool = False
    answer: str | None = None


encode = msgspec.json.Encoder().encode


def rows(
    stream: str, first: int, events: Sequence[Event], meta: Meta | Sequence[Meta]
) -> list[Row]:
    """Rows for `append`: versions from `first`, ids made now, so that a repeat has the same ids."""
    metas = [meta] * len(events) if isinstance(meta, Meta) else meta
    return [
        Row(
            id=str(ids.uuid7()), org=meta.organization, stream=stream, version=first + i,
            type=event.type, data_version=event.version, actor=meta.actor,
            data=msgspec.Raw(event.model_dump_json().encode()), request_id=meta.request_id or None,
            causation_id=meta.causation_id, origin=meta.origin, traceparent=meta.traceparent,
        )
        for i, (event, meta) in enumerate(zip(events, metas, strict=True))
    ]  # fmt: skip


async def append_within(
    connection: WorkConnection, stream: str, events: Sequence[Event],
    meta: Meta | Sequence[Meta], first: int | None = None,
) -> bool:  # fmt: skip
    """Appends in a transaction of the caller that does other work too; `meta` may be one for each.

    At version `first`, where it is given: False when that is taken, and nothing is written. Else at
    the end of the stream: Conflict when somebody else was first (roll back then).
    """
    begin = first if first is not None else await _last(connection, stream) + 1
    sql, values = _statement(rows(stream, begin, events, meta), [])
    if sql is None or (await connection.exec_driver_sql(sql, values)).first() is not None:
        return True
    if first is None:
        raise Conflict("too many changes at once; try again")
    return False


async def _last(connection: WorkConnection, stream: str) -> int:
    sql = "select coalesce(max(version), 0) from log where stream = %s"
    return (await connection.exec_driver_sql(sql, (stream,))).scalar_one()


class EventStore:
    """Reads and appends as `system`; streams are named by the caller's organization."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.source = f"/services/{database.service}"
        self.appended: Callable[[], None] = lambda: None

    async def load(self, stream: str, since: int = 0) -> list[Recorded]:
        """The events of one stream after a version, in order."""
        with unavailable("store"):
            async with self.database.hot.connection() as connection:
                return await self.select(
                    connection, "where stream = %s and version > %s order by version",
                    (stream, since),
                )  # fmt: skip

    async def page(self, after: int, limit: int) -> tuple[list[Recorded], int, int]:
        """Events by number after `after`; the head; the incarnation of the numbers."""
        with unavailable("store"):
            async with self.database.hot.connection() as connection:
                cursor = await connection.execute(_PAGE, (after, limit))
                rows = await cursor.fetchall()
                head, incarnation = cast(tuple[int, int], rows[0][:2])
                found = [self._recorded(row[2:]) for row in rows if row[2] is not None]
                return found, head, incarnation

    async def select(
        self, connection: AsyncConnection[Any], where: str, values: tuple[Any, ...]
    ) -> list[Recorded]:
        cursor = await connection.execute(f"select {_COLUMNS} from log {where}".encode(), values)
        return [self._recorded(row) for row in await cursor.fetchall()]

    def _recorded(self, r: tuple[Any, ...]) -> Recorded:
        return Recorded(
            id=r[1], source=self.source, type=r[5], subject=r[3], time=r[7], organization=r[2],
            streamversion=r[4], sequence=r[0], actor=r[8], data=msgspec.Raw(r[13].encode()),
            dataversion=r[6], requestid=r[9], causationid=r[10], origin=r[11], traceparent=r[12],
        )  # fmt: skip

    async def state(self, decider: Decider[Any, S], stream: str) -> tuple[S, int, list[Recorded]]:
        """The state that the events of a stream make, its version, and the events."""
        found = await self.load(stream)
        return decider.fold([r.event() for r in found]), len(found), found

    async def execute(
        self, decider: Decider[C, S], stream: str, command: C, meta: Meta, *,
        answer: Callable[[S, int], str] | None = None,
        beside: Callable[[WorkConnection], Awaitable[None]] | None = None,
    ) -> Outcome[S]:  # fmt: skip
        """Decides a command and appends what it decides, once per command id.

        `answer` gives the text that a repetition gets (sealed by the caller, without secrets);
        `beside` does other work in the same transaction, before the append.
        Raises KeyReused, ChangedMeanwhile, Conflict, Unavailable, or what `decide` raises.
        """
        for _ in range(ATTEMPTS_MAX):
            if (before := await self.made_before(meta)) is not None:
                recorded = await self.load(stream)
                state = decider.fold([r.event() for r in recorded[: before[2]]])
                return Outcome(state, before[2], replayed=True, answer=before[1])
            state, version, recorded = await self.state(decider, stream)
            _check_expected(meta, version, recorded)
            events = list(decider.decide(command, state))
            after = decider.fold(events, state)
            last = version + len(events)
            made = _made_row(meta, stream, version, last, answer(after, last) if answer else None)
            n = await self._append(rows(stream, version + 1, events, meta), made, beside)
            if n is not None:
                return Outcome(after, last, events, n)
        raise Conflict("too many changes at once; try again")

    async def note(self, stream: str, events: Sequence[Event], meta: Meta) -> int:
        """Appends facts that need no decision at the end of a stream; their last number."""
        for _ in range(ATTEMPTS_MAX):
            with unavailable("store"):
                async with self.database.hot.connection() as connection:
                    cursor = await connection.execute(
                        "select coalesce(max(version), 0) from log where stream = %s", (stream,)
                    )
                    (version,) = cast(tuple[int], await cursor.fetchone())
            n = await self._append(rows(stream, version + 1, events, meta), [], None)
            if n is not None:
                return n
        raise Conflict("too many changes at once; try again")

    async def append_each(self, batch: list[Row]) -> None:
        """Appends to many streams in one statement; one that was changed meanwhile is left out."""
        await self._append(batch, [], None)

    async def made_before(self, meta: Meta) -> tuple[str, str | None, int] | None:
        """Digest, answer and last version of this very command. Raises KeyReused."""
        if meta.command_id is None:
            return None
        with unavailable("store"):
            async with self.database.hot.connection() as connection:
                cursor = await connection.execute(
                    "select digest, answer, last from commands where org = %s and id = %s",
                    (meta.organization, meta.command_id),
                )
                found = cast(tuple[str, str | None, int] | None, await cursor.fetchone())
        if found and found[0] != (meta.command_digest or ""):
            raise KeyReused("this Idempotency-Key came with another body before")
        return found

    async def _append(
        self, batch: list[Row], made: list[Made],
        beside: Callable[[WorkConnection], Awaitable[None]] | None,
    ) -> int | None:  # fmt: skip
        """The last number, or None when somebody else was first (decide again)."""
        sql, values = _statement(batch, made)
        if sql is None and beside is None:
            return 0
        try:
            if beside is None:
                async with self.database.hot.connection() as connection:
                    cursor = await connection.execute(cast(str, sql).encode(), values)
                    row = await cursor.fetchone()
            else:
                async with self.database.work() as work:
                    await beside(work)
                    row = (0, 0)
                    if sql is not None:
                        found = (await work.exec_driver_sql(sql, values)).fetchone()
                        row = None if found is None else (found[0], found.last_n)
                        if row is None:
                            await work.rollback()
        except Exception as error:
            if _is_repeat(error):
                return None
            with unavailable("store"):
                raise
        if row is None:
            return None
        self.appended()
        return int(row[1]) if batch else 0


def _statement(batch: list[Row], made: list[Made]) -> tuple[str | None, tuple[str, ...]]:
    if batch:
        sql = "select won, last_n from append(0::smallint, %s::json, %s::json)"
        return sql, (encode(batch).decode(), encode(made).decode())
    if made:
        return "select 1, remember(%s::json)", (encode(made).decode(),)
    return None, ()


def _check_expected(meta: Meta, version: int, recorded: list[Recorded]) -> None:
    if meta.expected_version is not None and version and meta.expected_version != version:
        last = recorded[-1]
        raise ChangedMeanwhile(
            "somebody changed it after you read it",
            current=f'"{version}"', changed_by=last.actor, changed_at=milliseconds(last.time),
        )  # fmt: skip


def _made_row(meta: Meta, stream: str, first: int, last: int, answer: str | None) -> list[Made]:
    if meta.command_id is None:
        return []
    return [
        Made(
            org=meta.organization, id=meta.command_id, digest=meta.command_digest or "",
            stream=stream, first=first + 1, last=last, answer=answer,
        )
    ]  # fmt: skip


def _is_repeat(error: Exception) -> bool:
    """The same command id was recorded by another process at this moment."""
    original = getattr(error, "orig", error)
    return getattr(original, "sqlstate", "") == "23505" and "commands_pkey" in str(original)


def dumps(value: BaseModel | dict[str, Any]) -> str:
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return msgspec.json.encode(value).decode()
