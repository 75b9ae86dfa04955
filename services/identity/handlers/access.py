"""Access records: what gateways count becomes one event per caller, operation and minute."""

import hashlib

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy.dialects.postgresql import insert

from libs.common.bus import CausedBy, reply
from services.identity import tables
from services.identity.contract import SERVICE, AccessRecorded, AccessReport, RecordAccess
from services.identity.parts import Parts, only_services

COUNTS = tables.access_counts


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()

    @r.subscriber(RecordAccess.type, queue=SERVICE)
    async def record_access(command: RecordAccess, meta: CausedBy) -> NatsResponse:
        only_services(meta)
        new = insert(COUNTS)
        adding = new.on_conflict_do_update(
            index_elements=["tally"], set_={"count": COUNTS.c.count + new.excluded.count}
        )
        async with parts.service.database.work() as db:
            await db.execute(adding, _folded(command.reports))
        return reply(AccessRecorded(count=len(command.reports)))

    return r


def _folded(reports: list[AccessReport]) -> list[dict[str, object]]:
    """One row per organization, caller, operation, result, origin and minute, in a steady order."""
    folded: dict[str, dict[str, object]] = {}
    for report in reports:
        row: dict[str, object] = {
            "organization_id": report.organization, "actor": report.actor,
            "operation": report.operation, "reason": report.reason,
            "permission": report.permission, "status_class": report.status_class,
            "minute": report.at.replace(second=0, microsecond=0),
        }  # fmt: skip
        alike = [*sorted(row.items()), report.origin_digest]
        tally = hashlib.sha256(repr(alike).encode()).hexdigest()
        row |= {
            "since": report.at, "origin": report.origin, "request_id": report.request_id
        }  # fmt: skip
        before = folded.get(tally, {"count": 0})["count"]
        assert isinstance(before, int)
        folded[tally] = folded.get(tally, row) | {"tally": tally, "count": before + report.count}
    return [folded[tally] for tally in sorted(folded)]
