"""Files as callers send and read them: piece by piece, never in whole."""

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import clock
from libs.common.bus import CausedBy, reply
from services.executor.contract import (
    SERVICE,
    FileFound,
    FileShown,
    FindFile,
    FindPiece,
    PieceFound,
    PieceStored,
    StoreFile,
    StorePiece,
    file_stream,
)
from services.executor.engine import Engine
from services.executor.file_values import value_of
from services.executor.files import Files, stored
from services.executor.looking import file_opened
from services.executor.noted import NOTED


def register(r: NatsRouter, engine: Engine, files: Files) -> None:
    @r.subscriber(StorePiece.type, queue=SERVICE)
    async def store_piece(command: StorePiece, meta: CausedBy) -> NatsResponse:
        await files.put(meta.organization, command)
        return reply(PieceStored())

    @r.subscriber(StoreFile.type, queue=SERVICE)
    async def store_file(command: StoreFile, meta: CausedBy) -> NatsResponse:
        shown = FileShown(
            id=command.file, media_type=command.media_type, size_bytes=command.size_bytes,
            stored_at=clock.now(),
            value=value_of(command.file, command.media_type, command.size_bytes),
        )  # fmt: skip

        async def beside(db: AsyncConnection) -> None:
            await files.whole(db, meta.organization, command)

        stream = file_stream(meta.organization, command.file)
        return await engine.service.decide(
            NOTED, stream, [stored(command)], meta, answer=lambda state, _: shown, beside=beside
        )

    @r.subscriber(FindFile.type, queue=SERVICE)
    async def find_file(query: FindFile, meta: CausedBy) -> NatsResponse:
        row = await files.find(meta.organization, query.file)
        file_opened(engine, query.file, meta)
        return reply(FileFound(
            file=row.file, media_type=row.media_type, size_bytes=row.size_bytes,
            upload=row.upload, pieces=row.pieces,
        ))  # fmt: skip

    @r.subscriber(FindPiece.type, queue=SERVICE)
    async def find_piece(query: FindPiece, meta: CausedBy) -> NatsResponse:
        body = await files.piece(meta.organization, query.upload, query.number)
        return reply(PieceFound(body=body))
