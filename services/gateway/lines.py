"""The result of an operation as JSON Lines: page after page, as fast as it is taken."""

import asyncio
from typing import Any

import msgspec
from starlette.responses import Response

from services.executor.contract import FindOperationResult
from services.gateway.call import Call
from services.gateway.following import STALLED_S, gone

LINES = "application/jsonl"
PAGE = 20


class _Piece(msgspec.Struct):
    outcome: str | None
    value: msgspec.Raw


class _Pieces(msgspec.Struct):
    data: list[_Piece]
    next: str | None = None


_decode = msgspec.json.Decoder(_Pieces).decode


class Lines(Response):
    """One line for each piece that gave something; nothing is kept here.

    When a service fails in the middle, the answer breaks off without its end.
    """

    def __init__(self, call: Call, operation: str) -> None:
        super().__init__(status_code=200)
        self._call, self._operation = call, operation

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        page = await self._page(None)
        await send({
            "type": "http.response.start", "status": 200,
            "headers": [(b"content-type", LINES.encode())],
        })  # fmt: skip
        leaving = asyncio.create_task(gone(receive))
        try:
            while not leaving.done():
                done = [bytes(one.value) for one in page.data if one.outcome == "done"]
                text = b"".join(line + b"\n" for line in done)
                last = page.next is None
                async with asyncio.timeout(STALLED_S):
                    await send({"type": "http.response.body", "body": text, "more_body": not last})
                if last:
                    return
                page = await self._page(page.next)
        finally:
            leaving.cancel()

    async def _page(self, after: str | None) -> _Pieces:
        answered = await self._call.ask(
            FindOperationResult, {"operation_id": self._operation}, limit=PAGE, after=after
        )
        return _decode(answered.body)
