"""A miniature of two services: `ledger` notes amounts, `books` copies them through its inbox."""

from dataclasses import dataclass
from typing import Any

import psycopg
from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy import BigInteger, Column, Identity, MetaData, Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy
from libs.common.decider import Decider
from libs.common.errors import Conflict
from libs.common.eventstore import EventStore, stream_of
from libs.common.fields import Count, Number, OrganizationId, StreamName, Version
from libs.common.messages import Command, Event, Message, Meta, Recorded
from libs.common.migrate import Schema
from libs.common.privacy import WrappedKey
from libs.common.readers import Projection
from libs.common.service import Service
from libs.common.settings import Settings
from libs.common.tables import column

LIMIT = 1000
ORG = "org_1"
META = Meta(organization=ORG, actor="per_1", permissions=frozenset({"ledger:note"}))


class Noted(Event, type="ledger.event.noted"):
    """An amount was noted."""

    amount: Count


class Note(Command, type="ledger.command.note", permission="ledger:note"):
    """Notes an amount; zero changes nothing."""

    amount: Number


class SumShown(Message):
    total: Count


class TooHigh(Conflict):
    code = "too-high"


def _decide(command: Note, total: int) -> list[Event]:
    if command.amount > LIMIT:
        raise TooHigh(f"more than {LIMIT}", limit=LIMIT)
    return [Noted(amount=command.amount)] if command.amount else []


def _evolve(total: int, event: Noted) -> int:
    return total + event.amount


DECIDER = Decider(0, _decide, _evolve)


def _table(name: str, metadata: MetaData) -> Table:
    return Table(
        name, metadata, column("org", OrganizationId), column("n", Count),
        column("stream", StreamName), column("version", Version), column("amount", Count),
        Column("place", BigInteger, Identity()),  # where rows lie says nothing of their order
    )  # fmt: skip


LEDGER_TABLES, BOOKS_TABLES = MetaData(), MetaData()
notes, copies = _table("notes", LEDGER_TABLES), _table("copies", BOOKS_TABLES)


def _view(table: Table, version: int, producer: str | None) -> Projection:
    view = Projection(table.name, version=version, tables=[table], producer=producer)

    @view.on(Noted)
    async def noted(connection: AsyncConnection, event: Noted, recorded: Recorded) -> None:
        await connection.execute(
            insert(table).values(
                org=recorded.organization, n=recorded.sequence, stream=recorded.subject,
                version=recorded.streamversion, amount=event.amount,
            )
        )  # fmt: skip

    return view


def notes_view(version: int = 1) -> Projection:
    return _view(notes, version, None)


def copies_inbox(version: int = 1) -> Projection:
    return _view(copies, version, "ledger")


def schemas(version: int = 1) -> list[Schema]:
    """The databases of both, with the version of the ledger's view and of the books' inbox."""
    return [
        Schema("ledger", LEDGER_TABLES, projections=[notes_view(version)]),
        Schema("books", BOOKS_TABLES, projections=[copies_inbox(version)]),
    ]


async def no_key(owner: str, purpose: str) -> WrappedKey | None:
    return None


def build_ledger(settings: Settings, view: Projection | None = None) -> Service:
    """One stream for each actor of an organization."""
    service = Service("ledger", settings, projections=[view or notes_view()], fetch_key=no_key)
    router = NatsRouter()

    @router.subscriber(Note.type, queue="ledger")
    async def note(command: Note, meta: CausedBy) -> NatsResponse:
        stream = stream_of("ledger", meta.organization, meta.actor)
        return await service.decide(
            DECIDER, stream, command, meta, answer=lambda total, _: SumShown(total=total)
        )

    service.include(router)
    return service


def build_books(settings: Settings, inbox: Projection | None = None) -> Service:
    return Service("books", settings, projections=[inbox or copies_inbox()], fetch_key=no_key)


async def note_many(store: EventStore, amounts: list[int], key: str = "many") -> None:
    """Appends facts without a handler, one append each."""
    for amount in amounts:
        await store.note(stream_of("ledger", ORG, key), [Noted(amount=amount)], META)


@dataclass
class Place:
    """The databases of one test, and a look into them from outside."""

    settings: Settings
    admin_url: str

    def sql(self, service: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        name = f"{self.settings.database_prefix}{service}"
        with psycopg.connect(self.admin_url, dbname=name, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def numbers(self) -> list[int]:
        """Numbers of the noted amounts in the log."""
        found = self.sql("ledger", "select n from log where type = %s order by n", Noted.type)
        return [n for (n,) in found]

    def copied(self) -> list[int]:
        """Numbers in the order in which the books took them."""
        return [n for (n,) in self.sql("books", "select n from copies order by place")]
