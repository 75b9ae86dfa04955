"""Commands and queries on live streams to a SIEM."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import ids
from libs.common.bus import CausedBy, reply
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from libs.common.service import Service
from libs.egress import EgressRefused, Policy, webhooks
from services.audit import siem_outbox, siem_showing
from services.audit.announcing import Clock
from services.audit.contract import SERVICE
from services.audit.contract.siem import (
    STREAMS_MAX,
    ChangeSiemStream,
    CreateSiemStream,
    DeleteSiemStream,
    FindSiemState,
    FindSiemStream,
    FindSiemStreams,
    RotateSiemSecret,
    SiemStreamPatch,
    SiemStreamShown,
    TooManyStreams,
    UrlNotAllowed,
)
from services.audit.export_text import ExportText
from services.audit.forwarding import key_of
from services.audit.siem_stream import (
    Absent,
    Change,
    Create,
    Delete,
    Live,
    Rotate,
    State,
    siem_stream,
)
from services.audit.siem_tables import siem_secrets, siem_streams

BOTH_VALID = timedelta(hours=24)
SIGNING, AUTHORIZATION = "signing", "authorization"
END = "coalesce((select h.size from trails t join trail_heads h using (trail) where t.org = :o), 0)"


def router(service: Service, source: ExportText, policy: Policy, clock: Clock) -> NatsRouter:
    r = NatsRouter()

    @r.subscriber(CreateSiemStream.type, queue=SERVICE)
    async def create_siem_stream(command: CreateSiemStream, meta: CausedBy) -> NatsResponse:
        meta = await siem_showing.acting(service, meta, command.trail)
        host, org, now = host_of(command.url, policy), meta.organization, whole(clock())
        id = ids.derived("siem", org, meta.command_id) if meta.command_id else ids.new("siem")
        name, key = stream_of("siem", org, id), await key_of(service, org)
        secret = webhooks.new_secret()
        sealed = {SIGNING: key.seal(secret, name)}
        if command.authorization is not None:
            sealed[AUTHORIZATION] = key.seal(command.authorization, name)
        live = Live(
            id, key.seal(command.url, name), host, command.format, AUTHORIZATION in sealed,
            command.authorization_header, command.loss_window_days, now,
        )  # fmt: skip

        async def beside(db: AsyncConnection) -> None:
            await _one_more(db, org)
            await db.execute(
                insert(siem_streams).values(
                    org=org, id=id, url=live.url, host=host, format=live.format,
                    authorized=live.authorized, authorization_header=live.authorization_header,
                    loss_window_days=live.loss_window_days, created_at=now, created_by=meta.actor,
                    position=text(END).bindparams(o=org),
                )
            )  # fmt: skip
            for kind, one in sealed.items():
                await _add_secret(db, org, id, kind, one)

        return await service.decide(
            siem_stream, name, Create(live, meta.actor), meta,
            answer=await _answer(service, meta, id), reveal={"signing_secret": secret},
            beside=beside,
        )  # fmt: skip

    @r.subscriber(ChangeSiemStream.type, queue=SERVICE)
    async def change_siem_stream(command: ChangeSiemStream, meta: CausedBy) -> NatsResponse:
        id, patch = command.stream, command.patch
        meta = await siem_showing.acting_on(service, meta, id)
        org = meta.organization
        name, key = stream_of("siem", org, id), await key_of(service, org)
        url = host = None
        if patch.url is not None:
            host = host_of(patch.url, policy)
            url = key.seal(patch.url, name)
        authorization = patch.authorization
        sealed = key.seal(authorization, name) if authorization is not None else None

        async def beside(db: AsyncConnection) -> None:
            values = _changed(patch, url, host)
            mine = (siem_streams.c.org == org) & (siem_streams.c.id == id)
            again = {"due_at": None, "checked_day": None, "changes": siem_streams.c.changes + 1}
            await db.execute(update(siem_streams).where(mine).values(**again, **values))
            if "authorization" in patch.model_fields_set:
                await db.execute(delete(siem_secrets).where(_secrets_of(org, id, AUTHORIZATION)))
            if sealed is not None:
                await _add_secret(db, org, id, AUTHORIZATION, sealed)

        answer = await _answer(service, meta, id)
        ask = Change(patch, url, host, meta.actor)
        return await service.decide(siem_stream, name, ask, meta, answer=answer, beside=beside)

    @r.subscriber(RotateSiemSecret.type, queue=SERVICE)
    async def rotate_siem_secret(command: RotateSiemSecret, meta: CausedBy) -> NatsResponse:
        id = command.stream
        meta = await siem_showing.acting_on(service, meta, id)
        org, until = meta.organization, whole(clock()) + BOTH_VALID
        name, secret = stream_of("siem", org, id), webhooks.new_secret()
        sealed = (await key_of(service, org)).seal(secret, name)

        async def beside(db: AsyncConnection) -> None:
            """What is older than the newest goes, so that at most two sign."""
            mine = _secrets_of(org, id, SIGNING)
            older = siem_secrets.c.valid_until.is_not(None)
            await db.execute(delete(siem_secrets).where(mine, older))
            await db.execute(update(siem_secrets).where(mine).values(valid_until=until))
            await _add_secret(db, org, id, SIGNING, sealed)

        return await service.decide(
            siem_stream, name, Rotate(until, meta.actor), meta,
            answer=await _answer(service, meta, id), reveal={"signing_secret": secret},
            beside=beside,
        )  # fmt: skip

    @r.subscriber(DeleteSiemStream.type, queue=SERVICE)
    async def delete_siem_stream(command: DeleteSiemStream, meta: CausedBy) -> NatsResponse:
        id = command.stream
        meta = await siem_showing.acting_on(service, meta, id)
        org = meta.organization
        name = stream_of("siem", org, id)
        before, _, _ = await service.store.state(siem_stream, name)
        return await service.decide(
            siem_stream, name, Delete(meta.actor), meta,
            answer=await _answer(service, meta, id, before),
            beside=lambda db: siem_outbox.forget(db, org, id),
        )  # fmt: skip

    @r.subscriber(FindSiemStreams.type, queue=SERVICE)
    async def find_siem_streams(query: FindSiemStreams, meta: CausedBy) -> NatsResponse:
        meta = await siem_showing.acting(service, meta, query.trail)
        return reply(await siem_showing.find_streams(service, meta.organization, query))

    @r.subscriber(FindSiemStream.type, queue=SERVICE)
    async def find_siem_stream(query: FindSiemStream, meta: CausedBy) -> NatsResponse:
        meta = await siem_showing.acting_on(service, meta, query.stream)
        return await siem_showing.find_stream(service, meta.organization, query.stream)

    @r.subscriber(FindSiemState.type, queue=SERVICE)
    async def find_siem_state(query: FindSiemState, meta: CausedBy) -> NatsResponse:
        meta = await siem_showing.acting_on(service, meta, query.stream)
        org, now = meta.organization, clock()
        return reply(await siem_showing.find_state(source, org, query.stream, now))

    return r


def host_of(url: str, policy: Policy) -> str:
    try:
        return webhooks.host_of(url, policy)
    except EgressRefused:
        raise UrlNotAllowed("the trail can't be posted to this URL") from None


def whole(at: datetime) -> datetime:
    """Whole milliseconds, so that an answer and its repetition from the log are equal."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


async def _answer(
    service: Service, meta: Meta, id: str, before: State | None = None
) -> Callable[[State, int], SiemStreamShown]:
    """Shows a stream as it is now, or as it was before it was deleted."""
    show = await siem_showing.Show.of(service, meta.organization)

    def answer(state: State, version: int) -> SiemStreamShown:
        live = before if isinstance(state, Absent) else state
        return show.live(live)

    return answer


def _changed(patch: SiemStreamPatch, url: str | None, host: str | None) -> dict[str, Any]:
    """Columns with what a patch gives; null was refused where it may not be."""
    values = {
        "url": url, "host": host, "format": patch.format,
        "authorization_header": patch.authorization_header,
        "loss_window_days": patch.loss_window_days,
    }  # fmt: skip
    given = {name: value for name, value in values.items() if value is not None}
    if "authorization" in patch.model_fields_set:
        given["authorized"] = patch.authorization is not None
    return given


async def _one_more(db: AsyncConnection, org: str) -> None:
    """Under a lock on the organization, so that two at once can't both be the last one."""
    await db.execute(text("select pg_advisory_xact_lock(hashtextextended(:org, 21))"), {"org": org})
    there = select(func.count()).select_from(siem_streams).where(siem_streams.c.org == org)
    if (await db.execute(there)).scalar_one() >= STREAMS_MAX:
        said = f"a trail goes to at most {STREAMS_MAX} SIEM streams"
        raise TooManyStreams(said, limit=STREAMS_MAX)


def _secrets_of(org: str, id: str, kind: str) -> Any:
    c = siem_secrets.c
    return (c.org == org) & (c.stream == id) & (c.kind == kind)


async def _add_secret(db: AsyncConnection, org: str, id: str, kind: str, sealed: str) -> None:
    await db.execute(insert(siem_secrets).values(org=org, stream=id, kind=kind, sealed=sealed))
