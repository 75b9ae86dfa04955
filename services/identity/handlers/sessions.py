"""Sign in and out."""

from datetime import datetime, timedelta

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy
from libs.common.errors import TooMany
from libs.common.messages import Meta
from services.identity import emails, limits, tables
from services.identity.contract import (
    SERVICE,
    CloseSession,
    CredentialInvalid,
    OpenSession,
    SessionClosedShown,
    SessionShown,
)
from services.identity.domain.person import Close, Open, Person, person
from services.identity.parts import Parts, a_person, acting, new_id, now, person_stream
from services.identity.tokens import digest_of, new_token

SESSION_DAYS = 14


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()
    service = parts.service

    @r.subscriber(OpenSession.type, queue=SERVICE)
    async def open_session(command: OpenSession, meta: CausedBy) -> NatsResponse:
        person_id, rehashed = await _signed_in(parts, command, meta)
        session_id, token, expires_at = new_id("ses", meta, person_id), new_token("session"), end()

        async def beside(db: AsyncConnection) -> None:
            await keep_session(db, session_id, person_id, token, expires_at)
            if rehashed is not None:
                await db.execute(
                    update(tables.passwords)
                    .where(tables.passwords.c.person_id == person_id)
                    .values(hash=rehashed, scheme=parts.hasher.scheme)
                )

        def shown(state: Person, _: int) -> SessionShown:
            at = state.sessions.get(session_id, expires_at)
            return SessionShown(id=session_id, person=person_id, expires_at=at)

        return await service.decide(
            person, person_stream(person_id), Open(session_id, expires_at, parts.hasher.scheme),
            acting(meta, "instance", person_id), answer=shown, reveal={"token": token},
            beside=beside,
        )  # fmt: skip

    @r.subscriber(CloseSession.type, queue=SERVICE)
    async def close_session(command: CloseSession, meta: CausedBy) -> NatsResponse:
        me = a_person(meta)

        async def beside(db: AsyncConnection) -> None:
            await db.execute(delete(tables.tokens).where(tables.tokens.c.id == command.session_id))

        return await service.decide(
            person, person_stream(me), Close(command.session_id, "signed-out"),
            acting(meta, "instance"), beside=beside,
            answer=lambda _, version: SessionClosedShown(id=command.session_id),
        )  # fmt: skip

    return r


def end() -> datetime:
    return now() + timedelta(days=SESSION_DAYS)


async def keep_session(
    db: AsyncConnection, session_id: str, person_id: str, token: str, expires_at: datetime
) -> None:
    await db.execute(insert(tables.tokens).values(
        digest=digest_of(token), id=session_id, person_id=person_id, expires_at=expires_at,
    ).on_conflict_do_nothing())  # fmt: skip


async def _signed_in(parts: Parts, command: OpenSession, meta: Meta) -> tuple[str, str | None]:
    """The person, and a new hash when the old one is of another scheme.

    An unknown address and a wrong password do the same work and answer the same.
    """
    account = emails.index_of(parts.settings.index_bytes, command.email)
    database, at = parts.service.database, now()
    async with database.work() as db:
        found = (await db.execute(
            select(tables.passwords)
            .join(tables.emails, tables.emails.c.person_id == tables.passwords.c.person_id)
            .where(tables.emails.c.email_index == account)
        )).first()  # fmt: skip
    person_id = found.person_id if found else None

    async def refuse(db: AsyncConnection, reason: str) -> None:
        await limits.count_refusal(db, account, person_id, reason, at, meta, command.address)

    try:
        async with database.work() as db:
            await limits.may_try(db, account, command.address, at)
    except TooMany:
        async with database.work() as db:
            await refuse(db, "too-many")
        raise
    if not await parts.hasher.fits(command.password, found.hash if found else None):
        async with database.work() as db:
            await refuse(db, "credential-invalid")
        raise CredentialInvalid("e-mail address or password is wrong")
    assert found is not None
    same = found.scheme == parts.hasher.scheme
    return found.person_id, None if same else await parts.hasher.hash(command.password)
