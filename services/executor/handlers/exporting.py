"""Exports: each execution of a filter becomes a piece of an operation, sealed until it is read."""

import msgspec
from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy import func, select, true

from libs.common.bus import CausedBy, reply
from libs.common.errors import InvalidInput
from services.executor import searching
from services.executor.contract import (
    EXPORT_MAX,
    SERVICE,
    CountShown,
    ExportExecutions,
    ExportTooLarge,
    OpenData,
)  # fmt: skip
from services.executor.data import open_data
from services.executor.engine import Engine
from services.executor.handlers.executions import show
from services.executor.looking import execution_opened
from services.executor.operation_tables import pieces
from services.executor.operations import PURPOSE, Kind, Made, Operations, Piece
from services.executor.signals import history

KIND = "export-executions"
KEEP_DAYS = 1
BYTES_MAX = 256 * 1024 * 1024


def register(r: NatsRouter, engine: Engine, running: Operations) -> None:
    exporter = Exporter(engine)

    @r.subscriber(ExportExecutions.type, queue=SERVICE)
    async def export_executions(command: ExportExecutions, meta: CausedBy) -> NatsResponse:
        if (before := await engine.service.answered_before(meta)) is not None:
            return before
        found = await searching.names(engine, command.filter, meta, true(), EXPORT_MAX + 1)
        if command.dry_run:
            return reply(CountShown(count=len(found)))
        if len(found) > EXPORT_MAX:
            raise InvalidInput(f"the filter has more than {EXPORT_MAX} hits; make it narrower")
        return await running.begin(KIND, command.model_dump(mode="json"), found, meta)

    running.register(Kind(KIND, "payloads:read", exporter.each, KEEP_DAYS))


class Exporter:
    """Makes lines, and counts what an export has by now; one per process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sizes: dict[str, int] = {}

    async def each(self, piece: Piece) -> Made:
        """Raises ExportTooLarge for what has no place any more, NotFound for what was forgotten."""
        events = await history(self._engine, piece.meta, piece.item)
        key = await self._engine.service.keys.key(piece.meta.organization, PURPOSE)
        shown = await show(self._engine, piece.meta, events)
        data = open_data(OpenData(execution_id=piece.item), events, key)
        execution_opened(self._engine, piece.item, "export", piece.meta)
        line = shown.model_dump(mode="json") | {
            "data": data.model_dump(mode="json", include={"input", "output", "error"})
        }
        size = len(msgspec.json.encode(line))
        operation = piece.meta.command_digest or ""
        if operation not in self._sizes:
            before = await self._size(operation)
            if operation not in self._sizes:  # else another piece has begun to count
                self._sizes = {operation: before}
        if self._sizes[operation] + size > BYTES_MAX:
            raise ExportTooLarge(f"an export has at most {BYTES_MAX} bytes")
        self._sizes[operation] += size
        return Made(value=line)

    async def _size(self, operation: str) -> int:
        """What another process has made of it before."""
        statement = select(func.coalesce(func.sum(func.pg_column_size(pieces.c.value)), 0))
        async with self._engine.service.database.work() as db:
            mine = statement.where(pieces.c.operation == operation)
            return int((await db.execute(mine)).scalar_one())
