"""Answers what others ask of exports."""

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy
from libs.common.looks import Looks
from services.audit.contract import SERVICE
from services.audit.contract.proof import ExportTrail, FindExport, ReadExport
from services.audit.exports import Exports
from services.audit.looking import trail_read


def router(exports: Exports, looks: Looks) -> NatsRouter:
    r = NatsRouter()

    @r.subscriber(ExportTrail.type, queue=SERVICE)
    async def export_trail(command: ExportTrail, meta: CausedBy) -> NatsResponse:
        return await exports.begin(command, meta)

    @r.subscriber(FindExport.type, queue=SERVICE)
    async def find_export(query: FindExport, meta: CausedBy) -> NatsResponse:
        return await exports.find(query.operation_id, meta)

    @r.subscriber(ReadExport.type, queue=SERVICE)
    async def read_export(query: ReadExport, meta: CausedBy) -> NatsResponse:
        found = await exports.read(query.operation_id, query.at, meta)
        trail_read(looks, "export", meta)
        return found

    return r
