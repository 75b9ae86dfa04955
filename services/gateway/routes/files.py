"""Files: what is too large for a value goes in and comes out as a stream, sealed in between."""

import asyncio
from collections import deque
from typing import Any

from starlette.responses import Response

from libs.common import ids
from libs.common.bus import Answered
from libs.common.chunks import Cutter, TooManyBytes, open_piece, seal_piece
from libs.common.errors import NotFound, Unavailable
from libs.common.fields import MEDIA_TYPE
from libs.common.privacy import DataKey, Forgotten
from libs.common.tasks import end
from services.executor.contract import (
    FILE_BYTES_MAX,
    FileFound,
    FileShown,
    FindFile,
    FindPiece,
    PieceFound,
    StoreFile,
    StorePiece,
    file_stream,
)
from services.gateway.access import ExecutionStarter, PayloadReader
from services.gateway.bodies import media_type, refuse_media_type
from services.gateway.call import Call
from services.gateway.following import STALLED_S, gone
from services.gateway.refusals import body_too_large
from services.gateway.routing import Routes

routes = Routes("files")
PURPOSE = "executions"
BYTES = "application/octet-stream"
ANY = "*/*"
AHEAD = 4  # pieces that are asked for before they are needed


@routes.post("/v1/files", FileShown, status=201, documents=(ANY,), limit_bytes=FILE_BYTES_MAX,
             refuses=("files-full", "conflict"))  # fmt: skip
async def store_file(call: ExecutionStarter) -> Response:
    """Send a file as the body, up to 100 MiB, with its `Content-Type`; `value` of the answer is
    what stands for it in an input. It is kept while an execution refers to it, and for a day."""
    call.idempotency_key()
    kind = media_type(call.request) or BYTES
    if not MEDIA_TYPE.fullmatch(kind) or kind.startswith("multipart/"):
        raise refuse_media_type(["the file itself as the body, with its media type"])
    said = await _taken(call, kind)

    async def do(made: dict[str, str]) -> Answered:
        return await call.door.bus.ask(said, call.meta(**made))

    answered = await call.once(do, said.file.encode())
    return call.changed(answered, lambda made: f"/v1/files/{made['id']}")


async def _taken(call: Call, kind: str) -> StoreFile:
    """The body is stored piece by piece as it comes. Raises TooLarge, FilesFull."""
    declared = call.request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > FILE_BYTES_MAX:
        raise body_too_large(FILE_BYTES_MAX)
    key, upload, cutter = await _key(call), ids.new("upl"), Cutter(FILE_BYTES_MAX)

    async def store(full: list[tuple[int, bytes]]) -> None:
        for number, piece in full:
            sealed = seal_piece(key, file_stream(call.organization, upload), number, piece)
            await call.ask(StorePiece, upload=upload, number=number, body=sealed)

    try:
        async for data in call.request.stream():
            await store(cutter.feed(data))
    except TooManyBytes:
        raise body_too_large(FILE_BYTES_MAX) from None
    await store(cutter.rest())
    return StoreFile(
        upload=upload, file=f"file_{cutter.address(key, kind)}", media_type=kind,
        size_bytes=cutter.size, pieces=cutter.count,
    )  # fmt: skip


async def _key(call: Call) -> DataKey:
    try:
        return await call.door.keys.key(call.organization, PURPOSE)
    except Forgotten:
        raise Unavailable("the organization's keys are gone", part="identity") from None


@routes.get("/v1/files/{file}", BYTES, produces=(ANY,))
async def open_file(call: PayloadReader, file: str) -> Response:
    """The content as it came, with its media type."""
    found = (await call.ask(FindFile, {"file": file})).as_a(FileFound)
    key = await _key(call)
    return Content(call, found, key, await _piece(call, found, key, 0) if found.pieces else b"")


async def _piece(call: Call, found: FileFound, key: DataKey, number: int) -> bytes:
    """Raises NotFound when it was collected, or its key is gone."""
    answered = await call.ask(FindPiece, upload=found.upload, number=number)
    stream = file_stream(call.organization, found.upload)
    try:
        return open_piece(key, stream, number, answered.as_a(PieceFound).body)
    except Forgotten:
        raise NotFound() from None


class Content(Response):
    """Piece after piece, as fast as it is taken; it breaks off without its end when one fails."""

    def __init__(self, call: Call, found: FileFound, key: DataKey, first: bytes) -> None:
        super().__init__(status_code=200)
        self._call, self._found, self._key, self._first = call, found, key, first

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        found = self._found
        await send({
            "type": "http.response.start", "status": 200,
            "headers": [
                (b"content-type", found.media_type.encode()),
                (b"content-length", str(found.size_bytes).encode()),
                (b"content-disposition", f'attachment; filename="{found.file}"'.encode()),
            ],
        })  # fmt: skip
        if scope["method"] == "HEAD" or scope["troth"].head:
            await send({"type": "http.response.body", "body": b""})
            return
        leaving = asyncio.create_task(gone(receive))
        try:
            await self._all(send, leaving)
        finally:
            leaving.cancel()

    async def _all(self, send: Any, leaving: "asyncio.Task[Any]") -> None:
        piece, coming = self._first, deque(self._asked(range(1, 1 + AHEAD)))
        try:
            while not leaving.done():
                async with asyncio.timeout(STALLED_S):
                    message = {"type": "http.response.body", "body": piece}
                    await send(message | {"more_body": bool(coming)})
                if not coming:
                    return
                number, task = coming.popleft()
                piece = await task
                coming.extend(self._asked(range(number + AHEAD, number + AHEAD + 1)))
        finally:
            await end([task for _, task in coming])

    def _asked(self, numbers: range) -> list[tuple[int, "asyncio.Task[bytes]"]]:
        """The pieces that are there, on their way."""
        there = range(numbers.start, min(numbers.stop, self._found.pieces))
        return [
            (n, asyncio.create_task(_piece(self._call, self._found, self._key, n))) for n in there
        ]
