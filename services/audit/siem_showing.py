"""Shows live streams to a SIEM, and finds whose one is: the caller's, or the instance's."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from faststream.nats.response import NatsResponse
from sqlalchemy import Row, select, text

from libs.common.bus import reply
from libs.common.errors import NotFound
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from libs.common.pages import Page, page_of, seek
from libs.common.privacy import FORGOTTEN, DataKey, Forgotten
from libs.common.service import Service
from services.audit import proving, siem_text, stored
from services.audit.contract.siem import FindSiemStreams, SiemStateShown, SiemStreamShown
from services.audit.export_text import ExportText
from services.audit.forwarding import key_of
from services.audit.proving import INSTANCE
from services.audit.siem_outbox import ROWS
from services.audit.siem_stream import Live, State, siem_stream
from services.audit.siem_tables import siem_streams

ONE = text(f"{ROWS} where s.org = :org and s.id = :id")


async def acting(service: Service, meta: Meta, trail: str | None) -> Meta:
    """For the caller's organization; for the instance, when its operator names its trail."""
    if trail is None:
        return meta
    named = await proving.trail_of(service, meta, trail)
    if named == await proving.own_trail(service, meta.organization):
        return meta
    return meta.model_copy(update={"organization": INSTANCE})


async def acting_on(service: Service, meta: Meta, id: str) -> Meta:
    """For the instance, when the stream is its own and the caller operates it."""
    mine = select(siem_streams.c.id).where(siem_streams.c.id == id)
    if INSTANCE in meta.permissions:
        async with service.database.read(INSTANCE) as db:
            if (await db.execute(mine)).first() is not None:
                return meta.model_copy(update={"organization": INSTANCE})
    return meta


@dataclass(frozen=True, slots=True)
class Show:
    """Opens the sealed URLs of one organization, which may be forgotten."""

    organization: str
    trail: str | None
    key: DataKey | None

    @classmethod
    async def of(cls, service: Service, organization: str) -> "Show":
        found = await proving.own_trail(service, organization)
        trail = stored.trail_name(found) if found is not None else None
        try:
            return cls(organization, trail, await key_of(service, organization))
        except Forgotten:
            return cls(organization, trail, None)

    def live(self, live: State | Row[Any] | None) -> SiemStreamShown:
        if not isinstance(live, Live | Row):
            raise NotFound
        return SiemStreamShown(
            id=live.id, trail=self.trail, url=self._url(live.id, live.url), host=live.host,
            format=live.format, authorized=live.authorized,
            authorization_header=live.authorization_header,
            loss_window_days=live.loss_window_days, created_at=live.created_at,
        )  # fmt: skip

    def _url(self, id: str, sealed: str) -> str:
        if self.key is None:
            return FORGOTTEN
        try:
            return self.key.open(sealed, stream_of("siem", self.organization, id))
        except Forgotten:
            return FORGOTTEN


async def find_streams(
    service: Service, organization: str, query: FindSiemStreams
) -> Page[SiemStreamShown]:
    c = siem_streams.c
    mine = select(siem_streams).where(c.org == organization)
    async with service.database.read(organization) as db:
        rows = (await db.execute(seek(mine, query, c.created_at, c.id))).all()
    show = await Show.of(service, organization)
    return page_of(rows, query, lambda r: (r.created_at, r.id), [show.live(r) for r in rows])


async def find_stream(service: Service, organization: str, id: str) -> NatsResponse:
    """As the log has it, whose version is the ETag."""
    name = stream_of("siem", organization, id)
    state, version, _ = await service.store.state(siem_stream, name)
    return reply((await Show.of(service, organization)).live(state), version)


async def find_state(
    source: ExportText, organization: str, id: str, now: datetime
) -> SiemStateShown:
    async with source.service.database.work() as db:
        row = (await db.execute(ONE, {"org": organization, "id": id, "now": now})).first()
    if row is None:
        raise NotFound
    return SiemStateShown(
        id=row.id, state="failing" if row.failing_since is not None else "working",
        position=row.position, waiting=max(0, row.size - row.position),
        lag_s=await siem_text.lag_s(source, row, now), lost=row.lost,
        loss_window_days=row.loss_window_days, last_delivered_at=row.last_delivered_at,
        last_health=row.checked, last_health_at=row.checked_at, failing_since=row.failing_since,
        failures=row.failures, last_status=row.last_status, last_error=row.last_error,
        next_attempt_at=row.due_at,
    )  # fmt: skip
